/** How much memory Berth takes: the resident set of each container's process, as the node's kernel counts it. */
import type { Cluster } from '../../cluster/cluster.ts';
import { formatTable } from '../../kit/table.ts';

const programs = /^(berth\.mjs|node|csi-provisioner|csi-resizer|csi-snapshotter)$/;

/** One line a process of Berth's pods on each node. */
export async function formatUsage(cluster: Cluster): Promise<string> {
  const rows = await Promise.all(
    cluster.nodes.map(async (node) => {
      const { stdout } = await node.exec(['ps', '-eo', 'rss=,args=']);
      return stdout
        .split('\n')
        .map((line) => /^\s*(\d+)\s+(\S+)(.*)$/.exec(line))
        .filter((match) => match !== null)
        .map(([, kib = '', program = '', rest = '']) => ({
          kib: Number(kib),
          program: program.split('/').at(-1) ?? '',
          rest,
        }))
        .filter(({ program, rest }) => programs.test(program) && (program !== 'node' || rest.includes('berth')))
        .map(({ kib, program }) => [
          node.name,
          program === 'node' ? 'berth' : program,
          `${Math.round(kib / 1024)} MiB`,
        ]);
    }),
  );
  return formatTable(['NODE', 'PROCESS', 'RSS'], rows.flat());
}
