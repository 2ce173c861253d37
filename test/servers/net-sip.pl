#!/usr/bin/perl
# A phone, or a registrar and proxy, of Net::SIP (Debian libnet-sip-perl) for tests:
#   net-sip.pl phone PROTO PORT AOR SERVER:PORT PASSWORD [CA CERT KEY]   told over its input what to ask: METHOD URI {"body":...}
#   net-sip.pl registrar PROTO PORT DOMAIN USER PASSWORD   only that user is asked for a password
# Prints one JSON object a line for what it heard: a request, or the final response to a request of its own.
use strict;
use warnings;
use Net::SIP qw(:all);
use Net::SIP::Leg;
use JSON::PP;

$| = 1;
my $json = JSON::PP->new->canonical->utf8(0);
my $role = shift;
say_json({ heard => 'nothing', why => "unknown role $role" }), exit 2 unless main->can($role);
main->can($role)->(@ARGV);

sub say_json { print $json->encode(shift), "\n" }

sub headers {
  my ($packet, @names) = @_;
  return map { my @values = $packet->get_header($_); ($_ => join ', ', @values) } @names;
}

sub phone {
  my ($proto, $port, $aor, $server, $password, $ca, $cert, $key) = @_;
  my ($user) = $aor =~ /^sips?:([^@]+)@/;
  my $tls = $ca && { SSL_ca_file => $ca, SSL_cert_file => $cert, SSL_key_file => $key };
  my $leg = Net::SIP::Leg->new(proto => $proto, addr => '127.0.0.1', port => $port, tls => $tls);
  my $scheme = $proto eq 'tls' ? 'sips' : 'sip';
  my $ua = Net::SIP::Simple->new(
    legs => [$leg], from => $aor, auth => [$user, $password], tls => $tls,
    outgoing_proxy => "$scheme:$server" . ($proto eq 'tcp' ? ';transport=tcp' : ''),
  );
  my ($endpoint, $loop) = ($ua->{endpoint}, $ua->{loop});
  my $contact = "sip:$user\@" . $leg->laddr(2) . ($proto eq 'udp' ? '' : ";transport=$proto");
  my %dialogs;
  my $answered = sub {
    my ($name, undef, undef, $errno, $code, $packet) = @_;
    return say_json({ heard => 'answer', to => $name, status => 0, why => "$errno" }) unless $packet;
    return if $code < 200;
    $dialogs{ $packet->callid }{to} = $packet->get_header('to') if $code < 300;
    my %more = headers($packet, qw(contact expires sip-etag min-expires require));
    say_json({ %more, heard => 'answer', to => $name, status => 0 + $code });
  };
  my $receive = sub {
    my ($endpoint, $ctx, $request, $leg, $from) = @_;
    my $method = $request->method;
    my %more = $method eq 'SUBSCRIBE' ? (contact => $contact, expires => $request->get_header('expires')) : ();
    my $response = $request->create_response(200, 'OK', \%more);
    $endpoint->new_response($ctx, $response, $leg, $from);
    $endpoint->close_context($ctx) if $method ne 'SUBSCRIBE';
    say_json({
      heard => $method, uri => $request->uri, body => ($request->as_parts)[3] // '',
      headers($request, qw(from to call-id content-type event subscription-state cseq via route)),
    });
    notify($endpoint, $response, $request, $leg, $from, $contact) if $method eq 'SUBSCRIBE';
  };
  $endpoint->set_application($receive);
  my $buffer = '';
  $loop->addFD(\*STDIN, 0, sub {
    sysread(STDIN, $buffer, 65536, length $buffer) or exit 0;
    while ($buffer =~ s/^([^\n]*)\n//) {
      my ($method, $uri, $rest) = split / /, $1, 3;
      my $parts = JSON::PP->new->utf8->decode($rest || '{}');
      my %headers = %{ $parts->{headers} // {} };
      my $id = $parts->{id} // "$method-" . time . rand;
      my %ctx = (from => $parts->{from} // "<$aor>;tag=net$id", to => $dialogs{$id}{to} // $parts->{to} // "<$uri>", callid => $id, auth => [$user, $password]);
      $ctx{cseq} = $dialogs{$id}{cseq} // 0;
      $headers{contact} = "<$contact>" if $method =~ /^(REGISTER|SUBSCRIBE)$/ && !exists $headers{contact};
      my $body = $parts->{body};
      utf8::encode($body) if defined $body;
      my $sent = $endpoint->new_request($method, \%ctx, [$answered, $parts->{name} // $method], $body, uri => $uri, %headers);
      # A challenge raises the count once.
      $dialogs{$id}{cseq} = $sent->{cseq} + 2;
    }
  });
  say_json({ heard => 'ready' });
  $loop->loop;
}

# The state of the phone, in the dialog that the 2xx has made.
sub notify {
  my ($endpoint, $response, $request, $leg, $from, $contact) = @_;
  my ($expires) = $request->get_header('expires');
  my $body = "<?xml version='1.0'?><presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:x\@y'><tuple id='net'><status><basic>open</basic></status><note>from perl</note></tuple></presence>";
  my ($target) = $request->get_header('contact') =~ /<([^>]+)>/;
  my %ctx = (from => $response->get_header('to'), to => $request->get_header('from'), callid => 'x');
  $endpoint->new_request('NOTIFY', { %ctx, callid => $request->callid },
    sub { my (undef, undef, undef, $code) = @_; say_json({ heard => 'answer', to => 'NOTIFY', status => 0 + ($code // 0) }) },
    $body, uri => $target, contact => "<$contact>", event => 'presence', 'content-type' => 'application/pidf+xml',
    'subscription-state' => $expires ? "active;expires=$expires" : 'terminated;reason=timeout', leg => $leg, dst_addr => $from);
}

sub registrar {
  my ($proto, $port, $domain, $user, $password) = @_;
  my $ua = Net::SIP::Simple->new(legs => [Net::SIP::Leg->new(proto => $proto, addr => '127.0.0.1', port => $port)]);
  my $auth = $ua->create_auth(user2pass => sub { $_[0] eq $user ? $password : undef }, realm => $domain);
  my $guard = Net::SIP::ReceiveChain->new([$auth], filter => sub { my $packet = shift; $packet->is_request && $packet->method eq 'REGISTER' && $packet->get_header('to') =~ /$user/ });
  my $registrar = $ua->create_registrar(domain => $domain, min_expires => 60);
  my $proxy = $ua->create_stateless_proxy(domain => $domain, registrar => $registrar);
  $ua->create_chain([ bless({}, 'Watch'), $guard, $registrar, $proxy ]);
  say_json({ heard => 'ready' });
  $ua->loop;
}

# Says what comes in, and leaves it to the next in the chain.
sub Watch::receive {
  my (undef, $packet) = @_;
  main::say_json({ heard => $packet->method, main::headers($packet, qw(contact expires call-id cseq authorization)) }) if $packet->is_request;
  return;
}
