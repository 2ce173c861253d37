-- What Prosody (0.12 and later) needs for the gateway: merge into /etc/prosody/prosody.cfg.lua. The secrets are those of
-- `instances.<name>.domains` in dragoman.yaml.
component_ports = { 5347 }
component_interfaces = { "127.0.0.1" } -- the port speaks no TLS: keep it on this host or a network of its own

VirtualHost "example.org"
-- For mood and activity on other networks: "pep" in modules_enabled, as it is by default.

-- People of SIP networks: bob\40other.net@sip.example.org is sip:bob@other.net
Component "sip.example.org"
  component_secret = "change-me"

-- Telephones: +447700900123@sms.example.org
Component "sms.example.org"
  component_secret = "change-me"

-- Longest stanza taken from a component; the gateway itself stops at 256 KiB (maxStanzaBytes).
component_stanza_size_limit = 512 * 1024
-- With a standby gateway on another machine: lets it replace a connection that hangs after a power cut. `dragoman doctor`
-- then replaces a gateway that runs, too. The default, "kick_new", refuses whoever comes second.
-- component_conflict_resolve = "kick_old"
