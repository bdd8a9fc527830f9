/**
 * `npm start`: Berth on a real Kubernetes of this machine. Brings a cluster up, applies daemonset/ and the examples, shows
 * what each pod got, proves it and removes everything. Exit code 1 and one sentence when anything of that fails.
 */
import { join } from 'node:path';
import { upCluster } from '../cluster/cluster.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { BerthError, asBerthError, messageOf } from '../kit/errors.ts';
import { applyBerth, applySnapshots, manifestFolder, sidecarImages, snapshotImages } from './deploy.ts';
import { buildImage } from './image.ts';
import { kubectl } from './kubectl.ts';
import { applyArguments } from './start/apply.ts';
import { parseOptions } from './start/options.ts';
import type { StartOptions } from './start/options.ts';
import { formatOverview } from './start/overview.ts';
import { watchPodTimes } from './start/podtimes.ts';
import { exampleProofs, generalProofs } from './start/proofs.ts';
import type { Proof } from './start/proofs.ts';
import { waitUntilSettled } from './start/settle.ts';
import { formatUsage } from './start/usage.ts';

const begin = performance.now();

function say(line: string): void {
  process.stderr.write(`[${((performance.now() - begin) / 1000).toFixed(1).padStart(6)}s] ${line}\n`);
}

function print(text: string): void {
  process.stdout.write(text);
}

async function show(cluster: Cluster, options: StartOptions, signal: AbortSignal): Promise<undefined> {
  const examples = join(manifestFolder, 'examples');
  const manifests = options.manifests ?? examples;
  const times = watchPodTimes(cluster);
  try {
    say(`kubectl apply ${applyArguments(manifests).join(' ')}`);
    await kubectl(cluster, ['apply', ...applyArguments(manifests)]);
    const pods = await waitUntilSettled(cluster, 120, signal);
    say('Every pod runs. What each got:');
    print(`\n${await formatOverview(cluster, pods, times)}\n`);
    const proofs = options.manifests === undefined ? exampleProofs(cluster) : generalProofs(cluster, pods);
    await proveAll(proofs, signal);
    print(`\n${await formatUsage(cluster)}\n`);
    return undefined;
  } finally {
    times.stop();
  }
}

async function proveAll(proofs: readonly Proof[], signal: AbortSignal): Promise<void> {
  for (const { claim, prove } of proofs) {
    signal.throwIfAborted();
    try {
      print(`  ✔ ${claim}: ${await prove()}\n`);
    } catch (error) {
      throw new BerthError('FAILED_PRECONDITION', `not proved: ${claim}: ${messageOf(error)}`, { cause: error });
    }
  }
}

async function main(options: StartOptions, signal: AbortSignal): Promise<void> {
  // The image is made while the cluster's programs are; both say what they do.
  const building = new AbortController();
  const imageBuilt = buildImage({ progress: say, signal: building.signal });
  imageBuilt.catch(() => undefined);
  const cluster = await upCluster({
    name: 'start',
    nodes: options.nodes,
    images: ['busybox', ...sidecarImages, ...snapshotImages],
    // A pool on which volumes and snapshots share bytes.
    disks: [{ target: '/var/lib/berth/pools/default', bytes: 10 * 2 ** 30, filesystem: 'xfs' }],
    onStep: say,
  }).catch((error: unknown) => {
    // Nobody waits for the image any more.
    building.abort();
    throw error;
  });
  try {
    const image = await imageBuilt;
    signal.throwIfAborted();
    say('Loading the image into every node');
    await cluster.load(image.path);
    await applySnapshots(cluster, say);
    await applyBerth(cluster, say);
    const failure = await show(cluster, options, signal).catch((error: unknown) => asBerthError(error));
    if (options.watch) {
      // Whoever watches wants to look at what failed.
      if (failure !== undefined) process.stderr.write(`berth: ${failure.message}\n`);
      await stay(cluster, signal);
    }
    if (failure !== undefined) throw failure;
  } finally {
    say('Removing the cluster and all that was in it');
    await cluster.down();
  }
}

async function stay(cluster: Cluster, signal: AbortSignal): Promise<void> {
  print(`The cluster stays until Ctrl-C. In another terminal:\n\n  export KUBECONFIG=${cluster.kubeconfig}\n`);
  print(
    `  ${cluster.kubectlPath} get pods -A -o wide\n  npm run cluster -- exec ${cluster.nodes[0]?.name ?? ''} -- sh\n\n`,
  );
  await new Promise<void>((resolve) => {
    // Nothing else keeps this process alive while it waits.
    const alive = setInterval(() => undefined, 3_600_000);
    signal.addEventListener('abort', () => {
      clearInterval(alive);
      resolve();
    });
  });
}

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => {
    stop.abort(new BerthError('FAILED_PRECONDITION', `stopped by ${name}`));
  });
}
const options = parseOptions(process.argv.slice(2));
try {
  await main(options, stop.signal);
  say('Done.');
} catch (error) {
  process.stderr.write(`berth: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
