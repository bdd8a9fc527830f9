/** `berth page`: the address of the local page with its key, and from a pod the way to it from elsewhere. */
import { readFile } from 'node:fs/promises';
import type { AgentView } from '../page/local.ts';
import { readToken } from '../page/tokenfile.ts';
import { askAgent } from './ask.ts';

/** The file from which a pod knows its namespace. */
const namespaceFile = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** Prints the address to standard output; throws when no agent answers, or its key cannot be read. Resolves to 0. */
export async function page(socket: string, env: Readonly<Record<string, string | undefined>>): Promise<number> {
  const [agent] = (await askAgent(socket, 'agent')) as readonly [AgentView];
  process.stdout.write(`http://127.0.0.1:${agent.port}/?token=${await readToken(agent.socket)}\n`);
  const inPod = env['KUBERNETES_SERVICE_HOST'] !== undefined;
  const namespace = inPod ? (await readFile(namespaceFile, 'utf8').catch(() => 'NAMESPACE')).trim() : undefined;
  process.stderr.write(hint(agent.port, namespace, env['POD_NAME']));
  return 0;
}

/** How to get there, for people. `namespace` where this runs in a pod. */
export function hint(port: number, namespace: string | undefined, pod = 'POD'): string {
  const key = 'The key in it is good until the agent starts again.\n';
  if (namespace === undefined) return `Open it in a browser on this node. ${key}`;
  return `Open it in your browser, while this runs there:\n  kubectl -n ${namespace} port-forward ${pod} ${port}\n${key}`;
}
