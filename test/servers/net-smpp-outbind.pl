#!/usr/bin/perl
# An SMSC of Net::SMPP that has a message for us: net-smpp-outbind.pl PORT PASSWORD. Connects, says outbind, lets us bind as
# receiver on that connection, delivers the message, and prints a line for each PDU.
use strict;
use warnings;
use Net::SMPP;

my ($port, $password) = @ARGV;
$| = 1;
my $smsc = Net::SMPP->new_connect('127.0.0.1', port => $port, smpp_version => 0x34, interface_version => 0x34, async => 1)
  or die "cannot connect: $!";
$smsc->outbind(system_id => 'perl', password => $password, async => 1);
print "outbind\n";
while (my $pdu = $smsc->read_pdu) {
  if ($pdu->{cmd} == Net::SMPP::CMD_bind_receiver) {
    print "bind_receiver system_id=$pdu->{system_id}\n";
    $smsc->bind_receiver_resp(seq => $pdu->{seq}, status => 0, system_id => 'perl');
    $smsc->deliver_sm(source_addr_ton => 1, source_addr_npi => 1, source_addr => '447700900123', dest_addr_ton => 1,
      dest_addr_npi => 1, destination_addr => '447700900001', short_message => 'you have mail', async => 1);
  } elsif ($pdu->{cmd} == Net::SMPP::CMD_unbind) {
    print "unbind\n";
    $smsc->unbind_resp(seq => $pdu->{seq});
    last;
  } else {
    printf "pdu %x status=%x\n", $pdu->{cmd}, $pdu->{status};
  }
}
print "end\n";
