/** Pods of several containers: making them, looking into one of them, and having one start again. */
import { inPod, isSettled, kubectl } from '../../scripts/kubectl.ts';
import { eventually, podManifest } from './scene.ts';
import type { PodManifest, Scene } from './scene.ts';

export interface ContainerOptions {
  readonly name: string;
  readonly limits?: Readonly<Record<string, number>>;
  /** Default: it stays. */
  readonly command?: readonly string[];
  readonly securityContext?: object;
  /** Of an init container: `Always` makes it a sidecar. */
  readonly restartPolicy?: 'Always';
}

/** A pod on a node with these containers. */
export function containersPod(
  name: string,
  node: string,
  containers: readonly ContainerOptions[],
  initContainers: readonly ContainerOptions[] = [],
): PodManifest {
  const manifest = podManifest(name, { node });
  const { containers: [usual] = [] } = manifest.spec as { containers?: readonly object[] };
  const full = ({ limits = {}, ...options }: ContainerOptions): object => ({
    ...usual,
    ...options,
    resources: { limits },
  });
  const spec = { ...manifest.spec, containers: containers.map(full), initContainers: initContainers.map(full) };
  return { ...manifest, spec };
}

/** Runs a shell line in one container; returns both streams, trimmed, and the exit code. */
export async function insideContainer(
  scene: Scene,
  pod: string,
  container: string,
  command: string,
): Promise<{ readonly text: string; readonly code: number }> {
  const found = await scene.pod(pod);
  const { stdout, stderr, code } = await inPod(scene.cluster, found, ['sh', '-c', command], container);
  return { text: (stdout + stderr).trim(), code };
}

interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly containerID?: string;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
}

interface ContainerState {
  /** As the runtime knows it. */
  readonly id: string;
  readonly ready: boolean;
  readonly restarts: number;
  /** Why it does not run; empty when it does. */
  readonly waiting: string;
}

export async function containerOf(scene: Scene, pod: string, container: string): Promise<ContainerState> {
  const answer = await kubectl(scene.cluster, ['get', 'pod', pod, '-n', scene.namespace, '-o', 'json']);
  const { status } = JSON.parse(answer) as { status: { containerStatuses?: ContainerStatus[] } };
  const found = status.containerStatuses?.find(({ name }) => name === container);
  if (found === undefined) throw new Error(`pod ${pod} has no container ${container} yet`);
  const id = (found.containerID ?? '').replace(/^containerd:\/\//, '');
  const { reason = '', message = '' } = found.state?.waiting ?? {};
  return { id, ready: found.ready, restarts: found.restartCount, waiting: `${reason} ${message}`.trim() };
}

/** Ends a container that stays as its program would end it, and waits until the kubelet has started it again. */
export async function restartContainer(scene: Scene, pod: string, container: string): Promise<void> {
  const before = await containerOf(scene, pod, container);
  await insideContainer(scene, pod, container, 'kill 1');
  await eventually(`container ${container} of pod ${pod} to start again`, 60, async () => {
    const { id, ready } = await containerOf(scene, pod, container);
    return ready && id !== before.id ? true : undefined;
  });
}

/** The environment of a container as its programs see it. */
export async function environmentOf(
  scene: Scene,
  pod: string,
  container: string,
): Promise<Readonly<Record<string, string>>> {
  const { text } = await insideContainer(scene, pod, container, 'env');
  return Object.fromEntries(
    text.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

/**
 * Applies a pod and returns when it is ready, making it anew where the kubelet refuses it, as a controller does: one that has
 * just started counts devices of pods that are long gone, and those of plugins that have not registered yet not at all.
 */
export async function startInTheEnd(scene: Scene, manifest: PodManifest): Promise<void> {
  const { name } = manifest.metadata;
  await scene.apply(manifest);
  await eventually(`pod ${name} to be admitted and ready`, 90, async () => {
    const found = await scene.pod(name);
    if (found.status.reason === 'UnexpectedAdmissionError') {
      await scene.remove('pod', name);
      await scene.apply(manifest);
    }
    return isSettled(found) ? true : undefined;
  });
}
