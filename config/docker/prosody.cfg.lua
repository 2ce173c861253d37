-- Prosody of docker-compose.yml: one host with the account alice@xmpp.example, and the gateway's two components.
-- Clients log in without TLS here, since the port is published on loopback only. Do not copy that to a real host.
pidfile = "/run/prosody/prosody.pid"
data_path = "/var/lib/prosody"
log = { info = "*console" }

modules_enabled = { "roster", "saslauth", "disco", "ping", "offline", "smacks", "carbons" }
modules_disabled = { "s2s" }
authentication = "internal_hashed"
c2s_require_encryption = false
allow_unencrypted_plain_auth = false

component_ports = { 5347 }
component_interfaces = { "*" }

VirtualHost "xmpp.example"

Component "sip.xmpp.example"
  component_secret = os.getenv("COMPONENT_SECRET")
Component "sms.xmpp.example"
  component_secret = os.getenv("COMPONENT_SECRET")
