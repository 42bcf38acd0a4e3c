#!/usr/bin/perl
# The derivation of docs/farm.md, by nothing but Digest::SHA: reads vectors, and prints them with the
# results computed anew. It shares no code with the program that it is held against.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha512);

sub hkdf {
    my ($key, $info, $size) = @_;
    my $extracted = hmac_sha512($key, "\0" x 64);
    my ($block, $out, $count) = ("", "", 0);
    while (length($out) < $size) {
        $block = hmac_sha512($block . $info . chr(++$count), $extracted);
        $out .= $block;
    }
    return substr($out, 0, $size);
}

my ($seconds, $epoch, $chain, $steps);
while (my $line = <STDIN>) {
    my ($name, $value) = $line =~ /^([a-z-]+) = ([0-9a-f]+)$/ or (print($line), next);
    $seconds = $value if $name eq "epoch-seconds";
    $epoch = $value if $name eq "epoch";
    $chain = pack("H*", $value) if $name eq "chain";
    if ($name eq "steps") {
        for (1 .. $value) {
            $chain = hkdf($chain, "tlsmgr farm 1 chain key" . pack("N Q>", $seconds, $epoch++), 32);
        }
    }
    my $material = $name =~ /^(name|cipher-key|mac-key)$/
        ? hkdf($chain, "tlsmgr farm 1 ticket key" . pack("N Q>", $seconds, $epoch), 80) : "";
    $value = unpack("H*", $chain) if $name eq "chain-after";
    $value = unpack("H*", substr($material, 0, 16)) if $name eq "name";
    $value = unpack("H*", substr($material, 16, 32)) if $name eq "cipher-key";
    $value = unpack("H*", substr($material, 48, 32)) if $name eq "mac-key";
    print "$name = $value\n";
}
