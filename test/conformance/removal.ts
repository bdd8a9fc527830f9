/** What is left of Berth: by the words of `kubectl berth uninstall --check`, and by looking at the nodes. */
import { dirname } from 'node:path';
import { z } from 'zod';
import type { ClusterNode } from '../../cluster/node.ts';
import { runChecked } from '../../cluster/command.ts';
import type { Plugin } from '../cluster/plugin.ts';

const leftovers = z.object({
  found: z.array(z.object({ what: z.string(), text: z.string(), remedy: z.string() })),
  unseen: z.array(z.string()),
});
export type Leftovers = z.infer<typeof leftovers>;

/** What `uninstall --check` finds. */
export async function check(plugin: Plugin): Promise<Leftovers> {
  return leftovers.parse(JSON.parse((await plugin.berth('uninstall', '--check', '-o', 'json')).stdout));
}

/** Does what it says, wherever that is a command of kubectl, as somebody who copies the line into a shell. */
export async function doAsTold({ found }: Leftovers, { folder }: Plugin, kubeconfig: string): Promise<void> {
  const env = { HOME: folder, KUBECONFIG: kubeconfig, PATH: `${folder}:${dirname(process.execPath)}:/usr/bin:/bin` };
  for (const { remedy } of found)
    if (remedy.startsWith('kubectl ')) await runChecked('sh', ['-c', remedy], { env, cwd: folder });
}

/** Everything of Berth's that is on a node beside its volumes: links, tables, CNI files, sockets; then the files it holds. */
export async function onNode(node: ClusterNode): Promise<{ readonly rest: string; readonly files: readonly string[] }> {
  const look = async (script: string): Promise<string> =>
    await runChecked('sh', ['-c', `exec nsenter --target ${node.pid} --mount --net --root --wd sh -c "$0"`, script]);
  const rest = await look(`
    ls -A /etc/cni/net.d /opt/cni/bin | grep -i -e berth -e loopback
    ip -o link | grep -E -o 'veth[0-9a-f]{11}|ifb[0-9a-f]{11}|berth[^:@]*'
    ip route show proto 98; ip -6 route show proto 98
    nft list tables | grep berth
    find /run/berth /var/lib/kubelet/device-plugins /var/lib/kubelet/plugins /var/lib/kubelet/plugins_registry -type s -name '*berth*'
    find /run/cdi /etc/cdi -name '*berth*' 2>/dev/null
    true`);
  const files = await look('find /run/berth /var/lib/berth -type f');
  return { rest, files: files.trim().split('\n') };
}
