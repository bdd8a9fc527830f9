/** BerthNodes of nodes that are not there, as the real one of the cluster is. */
import { kubeconfigAccess } from '../../agent/kubernetes/access.ts';
import { createApiClient } from '../../agent/kubernetes/client.ts';
import type { ApiClient } from '../../agent/kubernetes/client.ts';
import type { Cluster } from '../../cluster/cluster.ts';

const collection = '/apis/berth.dev/v1alpha1/berthnodes';
const atOnce = 16;

export class BerthNodeObjects {
  readonly #client: ApiClient;
  readonly #status: unknown;
  readonly #signal: AbortSignal;
  /** Of one, as JSON. */
  readonly bytes: number;

  private constructor(client: ApiClient, model: Readonly<Record<string, unknown>>, signal: AbortSignal) {
    this.#client = client;
    this.#status = model['status'];
    this.#signal = signal;
    this.bytes = JSON.stringify(model).length;
  }

  static async open(cluster: Cluster, signal: AbortSignal): Promise<BerthNodeObjects> {
    const client = createApiClient(kubeconfigAccess(cluster.kubeconfig));
    const model = await client.get(`${collection}/${cluster.nodes[0]?.name ?? ''}`, signal);
    return new BerthNodeObjects(client, model, signal);
  }

  /** As agents do: the object, then its status. */
  async create(count: number): Promise<void> {
    const numbers = Array.from({ length: count }, (_, at) => at).values();
    const worker = async (): Promise<void> => {
      for (const at of numbers) {
        const name = `far-${String(at).padStart(4, '0')}`;
        const head = { apiVersion: 'berth.dev/v1alpha1', kind: 'BerthNode', metadata: { name } };
        await this.#client.create(collection, head, this.#signal);
        const change = { op: 'add', path: '/status', value: this.#status };
        await this.#client.operate(`${collection}/${name}/status`, [change], this.#signal);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  }
}
