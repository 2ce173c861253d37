#!/usr/bin/perl
# A carrier of Net::SMPP (Debian libnet-smpp-perl) for scenarios: net-smpp-carrier.pl PORT [ID], the id before the first one
# that it gives. Prints each submit as a line of JSON.
# The last digit of the recipient says what becomes of it: 7 EXPIRED, 8 UNDELIV, 9 no receipt, else DELIVRD. A phone writes by
# a line on standard input: FROM TO HEX, or FROM TO HEX DATA_CODING.
use strict;
use warnings;
use IO::Select;
use JSON::PP;
use Net::SMPP;

my ($port, $before) = @ARGV;
$| = 1;
my $json = JSON::PP->new->canonical;
my $listener = Net::SMPP->new_listen('127.0.0.1', port => $port, smpp_version => 0x34, interface_version => 0x34)
  or die "cannot listen: $!";
print "listening\n";
my $ready = IO::Select->new($listener, \*STDIN);
my ($id, $input, @receivers) = ($before // time, '');

while (1) {
  for my $handle ($ready->can_read) {
    if ($handle == $listener) { welcome() }
    elsif ($handle == \*STDIN) { hear() }
    else { serve($handle) or leave($handle) }
  }
}

sub welcome {
  my $esme = $listener->accept or return;
  ${*$esme}{$_} = ${*$listener}{$_} for grep { !/^io_/ } keys %{*$listener};
  ${*$esme}{async} = 1;
  $ready->add($esme);
}

sub leave {
  my ($esme) = @_;
  @receivers = grep { $_ != $esme } @receivers;
  $ready->remove($esme);
  close $esme;
}

sub hear {
  sysread(STDIN, $input, 65536, length $input) or exit 0;
  while ($input =~ s/^(.*)\n//) {
    my ($from, $to, $hex, $coding) = split / /, $1;
    $receivers[-1]->deliver_sm(addresses($from, $to), data_coding => $coding // 0, short_message => pack('H*', $hex), async => 1);
  }
}

sub serve {
  my ($esme) = @_;
  my $pdu = eval { $esme->read_pdu } or return 0;
  my ($cmd, $seq) = ($pdu->{cmd}, $pdu->{seq});
  my %answer = (seq => $seq, system_id => 'perl');
  if ($cmd == Net::SMPP::CMD_bind_transceiver) { $esme->bind_transceiver_resp(%answer); push @receivers, $esme }
  elsif ($cmd == Net::SMPP::CMD_bind_receiver) { $esme->bind_receiver_resp(%answer); push @receivers, $esme }
  elsif ($cmd == Net::SMPP::CMD_bind_transmitter) { $esme->bind_transmitter_resp(%answer) }
  elsif ($cmd == Net::SMPP::CMD_submit_sm) { take($esme, $pdu) }
  elsif ($cmd == Net::SMPP::CMD_enquire_link) { $esme->enquire_link_resp(seq => $seq) }
  elsif ($cmd == Net::SMPP::CMD_unbind) { $esme->unbind_resp(seq => $seq); return 0 }
  elsif ($cmd == Net::SMPP::CMD_deliver_sm_resp) { printf "answer %x\n", $pdu->{status} }
  return 1;
}

sub take {
  my ($esme, $pdu) = @_;
  my %fields = map { $_ => $pdu->{$_} } grep { !/^(data|known_pdu|reserved|cmd|status|seq)$/ && !ref $pdu->{$_} } keys %$pdu;
  $fields{short_message} = unpack 'H*', $fields{short_message};
  my $name = sprintf '%08X', ++$id;
  print $json->encode({ %fields, id => $name }), "\n";
  $esme->submit_sm_resp(seq => $pdu->{seq}, message_id => $name);
  my ($end) = $pdu->{destination_addr} =~ /(.)$/;
  return if $end eq '9' || !($pdu->{registered_delivery} & 1);
  my ($stat, $err) = $end eq '7' ? ('EXPIRED', '027') : $end eq '8' ? ('UNDELIV', '001') : ('DELIVRD', '000');
  my $text = "id:$name sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:$stat err:$err text:";
  $receivers[-1]->deliver_sm(addresses($pdu->{destination_addr}, $pdu->{source_addr}), esm_class => 4, short_message => $text, async => 1)
    if @receivers;
}

# A number is international, what has letters is a name, the rest a short code.
sub addresses {
  my ($from, $to) = @_;
  return (kind('source_addr', 'source', $from), kind('destination_addr', 'dest', $to));
}

sub kind {
  my ($field, $side, $text) = @_;
  my ($ton, $npi) = $text =~ /[^0-9+]/ ? (5, 0) : length $text < 7 ? (3, 0) : (1, 1);
  $text =~ s/^\+//;
  $text =~ s/_/ /g;
  return ("${side}_addr_ton" => $ton, "${side}_addr_npi" => $npi, $field => $text);
}
