/** One iperf3 stream from a pod to another, and how it went, second by second. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { networkOf, startCommand } from '../cluster/peers.ts';
import type { End } from '../faults/streams.ts';

export interface StreamReport {
  readonly seconds: number;
  readonly bytes: number;
  readonly retransmits: number;
  /** Seconds in which no byte was sent. */
  readonly silent: number;
  /** Bytes of the second with the fewest. */
  readonly least: number;
}

const sum = z.object({ seconds: z.number(), bytes: z.number(), retransmits: z.number() });
const report = z.object({
  error: z.string().optional(),
  intervals: z.array(z.object({ sum })),
  end: z.object({ sum_sent: sum.optional() }),
});

/** Slow enough for a busy machine. iperf3 takes a file's end for its own, and so ends in good order when its input does. */
const client = `{ cat /dev/zero & read -r end; kill $!; } |
  exec nsenter "$0" iperf3 --client "$1" --bitrate 40M --time 86400 --interval 1 --file /dev/stdin --json`;

/** Starts both ends. `end` throws with iperf3's reason when the connection broke. */
export async function startStream(from: End, to: End): Promise<{ end(): Promise<StreamReport> }> {
  const address = to.pod.status.podIP ?? '';
  const server = startCommand('nsenter', [
    networkOf(to.node, address),
    'iperf3',
    '--server',
    '--one-off',
    '--forceflush',
  ]);
  await once(createInterface({ input: server.stdout }), 'line');
  const sender = startCommand('sh', ['-c', client, networkOf(from.node, from.pod.status.podIP), address]);
  const said = text(sender.stdout);
  return {
    end: async () => {
      sender.stdin.end();
      const { error, intervals, end } = report.parse(JSON.parse(await said));
      if (error !== undefined || end.sum_sent === undefined) throw new Error(`iperf3: ${error ?? 'no summary'}`);
      // The last is cut short by the end.
      const whole = intervals.slice(0, -1).map((interval) => interval.sum.bytes);
      return { ...end.sum_sent, silent: whole.filter((bytes) => bytes === 0).length, least: Math.min(...whole) };
    },
  };
}
