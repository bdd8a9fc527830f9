/** How the Kubernetes API is reached and who we are there: the pod's service account, or a kubeconfig. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { BerthError, messageOf } from '../../kit/errors.ts';

/** What one request needs. Read again for every request, because tokens and certificates are rotated on disk. */
export interface ApiAccess {
  readonly server: URL;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly token?: string | undefined;
  readonly serverName?: string | undefined;
}

export type ReadAccess = () => Promise<ApiAccess>;

/** Where kubelet mounts the token and the CA of the pod's service account. */
const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The service account of the pod we run in. The environment names the API server (Kubernetes sets it in every pod). */
export function inClusterAccess(
  env: Readonly<Record<string, string | undefined>>,
  folder: string = serviceAccountFolder,
): ReadAccess {
  return async () => {
    const host = env['KUBERNETES_SERVICE_HOST'];
    const port = env['KUBERNETES_SERVICE_PORT_HTTPS'] ?? env['KUBERNETES_SERVICE_PORT'] ?? '443';
    if (host === undefined || host === '')
      throw new BerthError(
        'FAILED_PRECONDITION',
        'the Kubernetes API is not known: KUBERNETES_SERVICE_HOST is not set (not in a pod?); set agent.kubeconfig',
      );
    const [token, ca] = await Promise.all([readText(`${folder}/token`), readText(`${folder}/ca.crt`)]);
    return { server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`), ca, token: token.trim() };
  };
}

const kubeconfigSchema = z.object({
  'current-context': z.string().optional(),
  contexts: z.array(z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: z.string() }) })),
  clusters: z.array(
    z.object({
      name: z.string(),
      cluster: z.object({
        server: z.url(),
        'certificate-authority': z.string().optional(),
        'certificate-authority-data': z.string().optional(),
        'tls-server-name': z.string().optional(),
      }),
    }),
  ),
  users: z.array(
    z.object({
      name: z.string(),
      user: z.object({
        'client-certificate': z.string().optional(),
        'client-certificate-data': z.string().optional(),
        'client-key': z.string().optional(),
        'client-key-data': z.string().optional(),
        token: z.string().optional(),
        tokenFile: z.string().optional(),
      }),
    }),
  ),
});

/** The current context of a kubeconfig file. Certificates and tokens are understood; login programs are not. */
export function kubeconfigAccess(path: string): ReadAccess {
  return async () => {
    const text = await readText(path);
    const bad = (reason: string): BerthError =>
      new BerthError('FAILED_PRECONDITION', `the kubeconfig ${path} cannot be used: ${reason}`);
    let content: unknown;
    try {
      content = parse(text);
    } catch (error) {
      throw bad(messageOf(error));
    }
    const parsed = kubeconfigSchema.safeParse(content);
    if (!parsed.success) throw bad(z.prettifyError(parsed.error).replaceAll(/\s*\n\s*/g, '; '));
    const { contexts, clusters, users, 'current-context': current } = parsed.data;
    const context = contexts.find(({ name }) => name === current)?.context;
    if (context === undefined) throw bad(`it has no context "${current ?? ''}"`);
    const cluster = clusters.find(({ name }) => name === context.cluster)?.cluster;
    if (cluster === undefined) throw bad(`it has no cluster "${context.cluster}"`);
    const user = users.find(({ name }) => name === context.user)?.user ?? {};
    const either = async (inline: string | undefined, file: string | undefined): Promise<string | undefined> => {
      if (inline !== undefined) return Buffer.from(inline, 'base64').toString('utf8');
      return file === undefined ? undefined : await readText(resolve(dirname(path), file));
    };
    const [ca, cert, key, token] = await Promise.all([
      either(cluster['certificate-authority-data'], cluster['certificate-authority']),
      either(user['client-certificate-data'], user['client-certificate']),
      either(user['client-key-data'], user['client-key']),
      user.token ?? either(undefined, user.tokenFile),
    ]);
    return {
      server: new URL(cluster.server),
      ca,
      cert,
      key,
      token: token?.trim(),
      serverName: cluster['tls-server-name'],
    };
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new BerthError(
      'FAILED_PRECONDITION',
      `credentials for the Kubernetes API cannot be read: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}
