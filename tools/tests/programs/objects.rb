# SPDX-License-Identifier: GPL-2.0-only
# Strings, arrays and threads that become garbage, compaction, and a fork, until the file named exists.
stop = ARGV[0]
rounds = 0
$stdout.sync = true
puts 'ready'
until File.exist?(stop) && rounds.positive?
  kept = Array.new(20_000) { |i| { i: i, text: 'x' * (i % 300) } }
  abort 'wrong: an object has changed' unless kept.all? { |item| item[:text].size == item[:i] % 300 }
  sums = Array.new(2) { |t| Thread.new { (1..20_000).sum { |i| i + t } } }.map(&:value)
  abort 'wrong: a thread' unless sums == [200_010_000, 200_030_000]
  kept = nil
  GC.start
  GC.compact if GC.respond_to?(:compact)
  pid = fork { exit!(('y' * 100_000).count('y') == 100_000) }
  Process.wait(pid)
  abort 'wrong: a child' unless $?.success?
  rounds += 1
end
puts "#{rounds} rounds"
