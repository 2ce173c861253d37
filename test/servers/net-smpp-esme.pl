#!/usr/bin/perl
# An ESME of Net::SMPP (Debian libnet-smpp-perl) for tests: net-smpp-esme.pl PORT VERSION. Prints a line for each PDU.
# Binds, hands in a message, answers what comes, asks how it fares when its receipt is there, schedules another and takes
# that back, writes to two at once, and unbinds.
use strict;
use warnings;
use Net::SMPP;

my ($port, $version) = @ARGV;
$| = 1;
my $esme = Net::SMPP->new_connect('127.0.0.1', port => $port, smpp_version => hex $version, interface_version => hex $version,
  system_id => 'perl', password => 'secret', async => 1) or die "cannot connect: $!";
my @from = (source_addr_ton => 1, source_addr_npi => 1, source_addr => '447700900300');
my @to = (dest_addr_ton => 1, dest_addr_npi => 1, destination_addr => '447700900001');
my ($submits, $id) = (0, '');
$esme->bind_transceiver;

while (my $pdu = $esme->read_pdu) {
  my $cmd = $pdu->{cmd};
  my %answer = (seq => $pdu->{seq});
  if ($cmd == Net::SMPP::CMD_bind_transceiver_resp) {
    printf "bound status=%x system_id=%s\n", $pdu->{status}, $pdu->{system_id};
    $esme->submit_sm(@from, @to, registered_delivery => 1, short_message => 'from perl');
  } elsif ($cmd == Net::SMPP::CMD_submit_sm_resp) {
    $submits++;
    printf "submitted status=%x id=%s\n", $pdu->{status}, $pdu->{message_id};
    $id = $pdu->{message_id};
    $esme->cancel_sm(message_id => $id, @from, @to) if $submits == 2;
  } elsif ($cmd == Net::SMPP::CMD_deliver_sm) {
    my $is_receipt = $pdu->{esm_class} & 4;
    printf "%s %s tlvs=%s\n", $is_receipt ? 'receipt' : 'message', $pdu->{short_message}, defined $pdu->{receipted_message_id} ? 'yes' : 'no';
    $esme->deliver_sm_resp(%answer, message_id => '');
    $esme->query_sm(message_id => $id, @from) if $is_receipt && $submits == 1;
  } elsif ($cmd == Net::SMPP::CMD_query_sm_resp) {
    printf "queried status=%x state=%d date=%s\n", $pdu->{status}, $pdu->{message_state}, $pdu->{final_date};
    $esme->submit_sm(@from, @to, schedule_delivery_time => '000001000000000R', short_message => 'tomorrow');
  } elsif ($cmd == Net::SMPP::CMD_cancel_sm_resp) {
    printf "cancelled status=%x\n", $pdu->{status};
    $esme->submit_multi(@from, dest_flag => [1, 1], dest_addr_ton => [1, 1], dest_addr_npi => [1, 1],
      destination_addr => ['447700900001', '12'], short_message => 'to both');
  } elsif ($cmd == Net::SMPP::CMD_submit_multi_resp) {
    printf "multi status=%x unsuccessful=%d\n", $pdu->{status}, $pdu->{num_unsuccess} // 0;
    $esme->unbind;
  } elsif ($cmd == Net::SMPP::CMD_unbind_resp) {
    print "unbound\n";
    last;
  } elsif ($cmd == Net::SMPP::CMD_enquire_link) {
    $esme->enquire_link_resp(%answer);
  } else {
    printf "pdu %x status=%x\n", $cmd, $pdu->{status};
  }
}
sleep 60;
