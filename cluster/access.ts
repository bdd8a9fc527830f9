/** How this machine reaches a cluster's API server: a port on its loopback, a kubeconfig, and kubectl as a script. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { BerthError } from '../kit/errors.ts';
import { apiPort, nodeAddresses } from './addresses.ts';
import { startComponent } from './component.ts';
import { nodeEnvironment } from './environment.ts';
import { formatKubeconfig } from './kubeconfig.ts';
import type { Namespaces } from './namespace.ts';
import type { RunFolder } from './runfolder.ts';

/**
 * Starts the forwarder in the cluster's network, listening on a free port of this machine's loopback, and returns the port.
 * A socket stays in the network where it was made, so no link or route to the cluster is needed.
 */
export async function forwardApiServer(folder: RunFolder, lan: Namespaces): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  try {
    const address = listener.address();
    const handle: unknown = Reflect.get(listener, '_handle');
    const descriptor =
      typeof handle === 'object' && handle !== null ? (Reflect.get(handle, 'fd') as unknown) : undefined;
    if (address === null || typeof address === 'string' || typeof descriptor !== 'number') {
      throw new BerthError('INTERNAL', 'this Node does not tell the descriptor of a listening socket');
    }
    const program = join(import.meta.dirname, 'apiforward.ts');
    await startComponent(
      { namespaces: lan, logFolder: folder.logs('lan') },
      {
        name: 'apiforward',
        args: [process.execPath, program, nodeAddresses(0).v4, String(apiPort)],
        env: nodeEnvironment,
        descriptors: [descriptor],
      },
    );
    return address.port;
  } finally {
    listener.close();
  }
}

/** Writes the kubeconfig and the script `kubectl` into the run's folder; both are removed with it. */
export function writeKubectl(folder: RunFolder, port: number): void {
  const config = formatKubeconfig(`https://127.0.0.1:${port}`, folder.pki, 'admin', folder.name);
  writeFileSync(folder.kubeconfig, config, { mode: 0o600 });
  const script = `#!/bin/sh
# kubectl for the cluster "${folder.name}".
export KUBECONFIG='${folder.kubeconfig}' KUBECACHEDIR='${join(folder.path, 'kubecache')}'
exec '${join(folder.programs, 'kubectl')}' "$@"
`;
  writeFileSync(kubectlPath(folder), script, { mode: 0o755 });
}

export function kubectlPath(folder: RunFolder): string {
  return join(folder.path, 'kubectl');
}
