#!/usr/bin/perl
# An SMSC of Net::SMPP (Debian libnet-smpp-perl) for tests: net-smpp.pl PORT [THROTTLED]. Prints a line for each PDU.
# Answers a submit with a padded hexadecimal id and sends its receipt with the decimal one; texts that begin with "early",
# "data", "fail" or "echo" bring a receipt before the response, one in a data_sm, a bad one, or a message back in two parts.
use strict;
use warnings;
use Net::SMPP;

my ($port, $throttled) = @ARGV;
$throttled //= 0;
$SIG{CHLD} = 'IGNORE';
$| = 1;
my $listener = Net::SMPP->new_listen('127.0.0.1', port => $port, smpp_version => 0x34, interface_version => 0x34)
  or die "cannot listen: $!";
print "listening\n";
my @children;
$SIG{TERM} = sub { kill 'KILL', @children; exit 0 };

while (my $smsc = $listener->accept) {
  my $child = fork;
  if ($child) { push @children, $child; close $smsc; next }
  $SIG{TERM} = 'DEFAULT';
  ${*$smsc}{$_} = ${*$listener}{$_} for grep { !/^io_/ } keys %{*$listener};
  ${*$smsc}{async} = 1;
  serve($smsc);
  exit 0;
}

sub serve {
  my ($smsc) = @_;
  my $id = 0xa0;
  while (my $pdu = $smsc->read_pdu) {
    my $cmd = $pdu->{cmd};
    my $seq = $pdu->{seq};
    if ($cmd == Net::SMPP::CMD_bind_transceiver || $cmd == Net::SMPP::CMD_bind_transmitter || $cmd == Net::SMPP::CMD_bind_receiver) {
      my $status = $pdu->{password} eq 'secret' ? 0 : 0x0e;
      printf "bind %x version=%x system_id=%s status=%x\n", $cmd, $pdu->{interface_version}, $pdu->{system_id}, $status;
      my %answer = (seq => $seq, status => $status, system_id => 'perl');
      $smsc->bind_transceiver_resp(%answer) if $cmd == Net::SMPP::CMD_bind_transceiver;
      $smsc->bind_transmitter_resp(%answer) if $cmd == Net::SMPP::CMD_bind_transmitter;
      $smsc->bind_receiver_resp(%answer) if $cmd == Net::SMPP::CMD_bind_receiver;
      $smsc->deliver_sm(mobile(), short_message => 'for the receiver') if $cmd == Net::SMPP::CMD_bind_receiver;
    } elsif ($cmd == Net::SMPP::CMD_submit_sm) {
      my $text = $pdu->{short_message};
      printf "submit dcs=%x esm=%x registered=%x sm=%s\n", $pdu->{data_coding}, $pdu->{esm_class}, $pdu->{registered_delivery}, unpack('H*', $text);
      if ($throttled-- > 0) { $smsc->submit_sm_resp(seq => $seq, status => 0x58, message_id => ''); next }
      $id++;
      receipt($smsc, $pdu, $id) if $text =~ /^early/;
      $smsc->submit_sm_resp(seq => $seq, message_id => sprintf('%08X', $id));
      receipt($smsc, $pdu, $id) if $text !~ /^early/ && $pdu->{registered_delivery};
      echo($smsc, $text) if $text =~ /^echo/;
    } elsif ($cmd == Net::SMPP::CMD_enquire_link) {
      print "enquire_link\n";
      $smsc->enquire_link_resp(seq => $seq);
    } elsif ($cmd == Net::SMPP::CMD_unbind) {
      print "unbind\n";
      $smsc->unbind_resp(seq => $seq);
      return;
    } else {
      printf "pdu %x status=%x\n", $cmd, $pdu->{status};
    }
  }
}

sub mobile {
  return (source_addr_ton => 1, source_addr_npi => 1, source_addr => '447700900123',
          dest_addr_ton => 1, dest_addr_npi => 1, destination_addr => '447700900001', async => 1);
}

sub receipt {
  my ($smsc, $pdu, $id) = @_;
  my $stat = $pdu->{short_message} =~ /^fail/ ? 'UNDELIV' : 'DELIVRD';
  my $text = "id:$id sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:$stat err:000 text:";
  my @fields = (mobile(), esm_class => 4);
  if ($pdu->{short_message} =~ /^data/) { $smsc->data_sm(@fields, message_payload => $text) }
  else { $smsc->deliver_sm(@fields, short_message => $text) }
}

sub echo {
  my ($smsc, $text) = @_;
  my $half = int(length($text) / 2);
  my @parts = (substr($text, 0, $half), substr($text, $half));
  for my $index (2, 1) {
    my $header = pack 'C6', 5, 0, 3, 99, 2, $index;
    $smsc->deliver_sm(mobile(), esm_class => 0x40, short_message => $header . $parts[$index - 1]);
  }
}
