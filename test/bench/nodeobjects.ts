/** Node objects of computers that are not there, as large as real ones, in a real API server. */
import { Agent, request } from 'node:https';
import { kubeconfigAccess } from '../../agent/kubernetes/access.ts';
import type { ApiAccess } from '../../agent/kubernetes/access.ts';

/** Of these so many are on the link of the real nodes; the others are behind their router. */
const near = 200;
const atOnce = 16;

export class NodeObjects {
  readonly #access: ApiAccess;
  readonly #agent: Agent;

  private constructor(access: ApiAccess) {
    const { ca, cert, key } = access;
    this.#access = access;
    this.#agent = new Agent({ keepAlive: true, maxSockets: atOnce, ca, cert, key });
  }

  static async open(kubeconfig: string): Promise<NodeObjects> {
    return new NodeObjects(await kubeconfigAccess(kubeconfig)());
  }

  /** Creates Nodes with the numbers 0 to `count` - 1. */
  async create(count: number, signal: AbortSignal): Promise<void> {
    const numbers = Array.from({ length: count }, (_, at) => at).values();
    const worker = async (): Promise<void> => {
      for (const at of numbers) await this.#send('POST', '/api/v1/nodes', nodeObject(at), signal);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  }

  /** What a kubelet says every five minutes when nothing is new. */
  async heartbeat(at: number, signal: AbortSignal): Promise<void> {
    await this.#send('PATCH', `/api/v1/nodes/${nameOf(at)}/status`, { status: { conditions: conditions() } }, signal);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(method: string, path: string, content: object, signal: AbortSignal): Promise<void> {
    const type = method === 'PATCH' ? 'application/strategic-merge-patch+json' : 'application/json';
    await new Promise<void>((resolve, reject) => {
      const sent = request(new URL(path, this.#access.server), {
        method,
        agent: this.#agent,
        headers: { 'content-type': type },
        signal,
      });
      sent.on('error', reject);
      sent.on('response', (answer) => {
        answer.resume().on('end', () => {
          if ((answer.statusCode ?? 500) < 300) resolve();
          else reject(new Error(`${method} ${path} was answered with ${answer.statusCode ?? 0}`));
        });
      });
      sent.end(JSON.stringify(content));
    });
  }
}

function nameOf(at: number): string {
  return `far-${String(at).padStart(4, '0')}`;
}

function conditions(): readonly object[] {
  const now = new Date().toISOString().replace(/\.\d+/, '');
  return ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({
    type,
    status: type === 'Ready' ? 'True' : 'False',
    reason: `KubeletHas${type}`,
    message: `kubelet says of ${type} what it always says while nothing is wrong`,
    lastHeartbeatTime: now,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }));
}

/** 8 KiB, most of it the fifty images that a kubelet lists. */
function nodeObject(at: number): object {
  const [high, low] = [at >> 8, at & 255];
  const address = at < near ? `10.77.0.${at + 50}` : `10.78.${100 + high}.${low}`;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: nameOf(at), labels: { 'kubernetes.io/hostname': nameOf(at), 'kubernetes.io/os': 'linux' } },
    spec: {
      podCIDR: `10.${128 + high}.${low}.0/24`,
      podCIDRs: [`10.${128 + high}.${low}.0/24`, `fd01:0:0:${at.toString(16)}::/64`],
    },
    status: {
      addresses: [
        { type: 'InternalIP', address },
        ...(at < near ? [{ type: 'InternalIP', address: `fd00:77::${(at + 50).toString(16)}` }] : []),
        { type: 'Hostname', address: nameOf(at) },
      ],
      capacity: { cpu: '4', memory: '8Gi', pods: '110' },
      allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
      conditions: conditions(),
      images: Array.from({ length: 50 }, (_, image) => ({
        names: [`images.example/some/folder/of/images/program-${image}@sha256:${'0123456789abcdef'.repeat(4)}`],
        sizeBytes: 10_000_000 + image,
      })),
    },
  };
}
