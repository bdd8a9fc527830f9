/** Reading much of a node with one process: several shell lines, and what each of them printed. */
import { z } from 'zod';
import type { ClusterNode } from '../../../cluster/node.ts';

const mark = '--- end of section ---';

/** Runs shell lines in all of the node's namespaces and returns the output of each under its key. */
export async function readSections<K extends string>(
  node: Pick<ClusterNode, 'name' | 'exec'>,
  lines: Readonly<Record<K, string>>,
): Promise<Readonly<Record<K, string>>> {
  const keys = Object.keys(lines) as K[];
  const script = keys.map((key) => `${lines[key]}\necho; echo '${mark}'`).join('\n');
  const { stdout, stderr } = await node.exec(['sh', '-c', script]);
  const texts = stdout.split(`\n${mark}\n`);
  if (texts.length !== keys.length + 1) throw new Error(`${node.name} could not be looked at: ${stderr.trim()}`);
  return Object.fromEntries(keys.map((key, at) => [key, texts[at] ?? ''])) as Record<K, string>;
}

/** A list that a program printed as JSON, checked; iproute2 prints nothing at all where there is nothing. */
export function listOf<T>(text: string, item: z.ZodType<T>): readonly T[] {
  const list = text.trim();
  return list === '' ? [] : z.array(item).parse(JSON.parse(list));
}

export function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** The shell line that prints the agent's metrics. */
export const metricsLine = 'timeout 5 busybox wget -q -O - http://127.0.0.1:9880/metrics';

/** Samples of a metric: labels as they stand between the braces, and the value. */
export function samplesOf(
  metrics: string,
  name: string,
): readonly { readonly labels: string; readonly value: number }[] {
  const pattern = new RegExp(`^${name}\\{(.*)\\} (\\S+)$`, 'gm');
  return [...metrics.matchAll(pattern)].map(([, labels = '', value]) => ({ labels, value: Number(value) }));
}
