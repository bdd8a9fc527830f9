/** How long a node's kubelet has no socket of Berth's device plugins: from the end of one agent to the start of the next. */
import { readdirSync, watch } from 'node:fs';
import type { ClusterNode } from '../../cluster/node.ts';

/** Watches until `end`, which returns the gaps in the order of nodes, in milliseconds. */
export function watchGaps(nodes: readonly ClusterNode[]): { end(): readonly (readonly number[])[] } {
  const watched = nodes.map(({ pid }) => watchNode(`/proc/${pid}/root/var/lib/kubelet/device-plugins`));
  return { end: () => watched.map(({ end }) => end()) };
}

function watchNode(folder: string): { readonly end: () => readonly number[] } {
  const gaps: number[] = [];
  let since: number | undefined;
  const watcher = watch(folder, () => {
    const isThere = readdirSync(folder).some((name) => name.startsWith('berth'));
    if (isThere && since !== undefined) gaps.push(Math.round(performance.now() - since));
    since = isThere ? undefined : (since ?? performance.now());
  });
  const end = (): readonly number[] => {
    watcher.close();
    return gaps;
  };
  return { end };
}
