/** The command `npm run cluster -- …`: a Kubernetes on this machine for a shell. Results go to stdout, the rest to stderr. */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { BerthError, messageOf } from '../kit/errors.ts';
import { downCluster, upCluster, useCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { nodeEnvironment } from './environment.ts';
import { imageNames } from './namedimages.ts';
import type { ImageName } from './namedimages.ts';
import type { ClusterNode, ComponentName } from './node.ts';

const usage = `usage: npm run cluster -- COMMAND [--name NAME]

  up [--nodes N] [--far M] [--dns] [--image NAME]…
                                           bring a cluster up; it stays until "down". The last M nodes are
                                           behind a router
  down                                     remove it and all that belongs to it
  kubectl ARGUMENT…                        kubectl for it
  exec NODE -- PROGRAM ARGUMENT…           run a program on a node (node-1, node-2, …)
  load IMAGE.tar                           load an image archive into every node
  logs NODE COMPONENT                      what a component of a node logged
  restart NODE                             power cycle of a node
  add-node [--far 1]                       one more node
  remove-node NODE                         take a node away; its Node object stays until you delete it

NAME is "default" unless given; options come before kubectl's and the program's own arguments.
Images for --image: ${imageNames.join(', ')}.
`;

const say = (sentence: string): void => {
  process.stderr.write(`${sentence}\n`);
};

/** Aborted once Ctrl-C has begun to remove a cluster: what then fails in `up` is no news. */
const interruption = new AbortController();

async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  switch (command) {
    case 'up':
      return up(rest);
    case 'down': {
      const { name } = options(rest);
      say((await downCluster(name)) ? `Cluster "${name}" is gone.` : `There is no cluster "${name}".`);
      return 0;
    }
    case 'kubectl': {
      const [name, own] = leadingName(rest);
      return attached(useCluster(name).kubectlPath, own, process.env);
    }
    case 'exec': {
      const [name, own] = leadingName(rest);
      const [nodeName, ...program] = own.filter((word, index) => !(word === '--' && index === 1));
      if (nodeName === undefined || program.length === 0) return wrongUsage();
      const node = findNode(useCluster(name), nodeName);
      const enter = ['--target', String(node.pid), '--mount', '--net', '--pid', '--uts', '--ipc', '--', ...program];
      return attached('nsenter', enter, { ...nodeEnvironment, TERM: process.env['TERM'] });
    }
    case 'load': {
      const { name, positionals } = options(rest);
      const [archive] = positionals;
      if (archive === undefined) return wrongUsage();
      await useCluster(name).load(archive);
      return 0;
    }
    case 'logs': {
      const { name, positionals } = options(rest);
      const [nodeName, component] = positionals;
      if (nodeName === undefined || component === undefined) return wrongUsage();
      const node = findNode(useCluster(name), nodeName);
      process.stdout.write(node.logs(findComponent(node, component)));
      return 0;
    }
    case 'restart': {
      const { name, positionals } = options(rest);
      const [nodeName] = positionals;
      if (nodeName === undefined) return wrongUsage();
      const cluster = useCluster(name);
      await cluster.restartNode(cluster.nodes.indexOf(findNode(cluster, nodeName)));
      return 0;
    }
    case 'add-node': {
      const { name, far } = options(rest);
      const node = await useCluster(name).addNode({ far: far > 0 });
      say(`${node.name} has joined cluster "${name}".`);
      return 0;
    }
    case 'remove-node': {
      const { name, positionals } = options(rest);
      const [nodeName] = positionals;
      if (nodeName === undefined) return wrongUsage();
      const cluster = useCluster(name);
      await cluster.removeNode(findNode(cluster, nodeName).name);
      say(`${nodeName} is gone. To the cluster it is lost, until you: ${cluster.kubectlPath} delete node ${nodeName}`);
      return 0;
    }
    default:
      return wrongUsage();
  }
}

async function up(args: readonly string[]): Promise<number> {
  const { name, nodes, far, dns, images } = options(args);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interruption.abort();
      say(`Removing what there is of cluster "${name}"`);
      void downCluster(name).finally(() => process.exit(130));
    });
  }
  const started = Date.now();
  const cluster = await upCluster({ name, nodes, far, dns, images, detached: true, onStep: say });
  const names = cluster.nodes.map((node) => node.name).join(', ');
  say(`Cluster "${name}" is up after ${((Date.now() - started) / 1000).toFixed(1)} s: ${names}.`);
  say('A node becomes Ready when a CNI plugin is deployed.');
  say(`\n  ${cluster.kubectlPath} get nodes\n  export KUBECONFIG=${cluster.kubeconfig}\n`);
  return 0;
}

interface Options {
  readonly name: string;
  readonly nodes: number;
  readonly far: number;
  readonly dns: boolean;
  readonly images: readonly ImageName[];
  readonly positionals: readonly string[];
}

function options(args: readonly string[]): Options {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        name: { type: 'string', default: 'default' },
        nodes: { type: 'string', default: '1' },
        far: { type: 'string', default: '0' },
        dns: { type: 'boolean', default: false },
        image: { type: 'string', multiple: true, default: [] },
      },
    });
    const images = values.image.map((image) => {
      const known = imageNames.find((candidate) => candidate === image);
      if (known !== undefined) return known;
      throw new BerthError('INVALID_ARGUMENT', `there is no image "${image}"; there are ${imageNames.join(', ')}`);
    });
    return {
      name: values.name,
      nodes: Number(values.nodes),
      far: Number(values.far),
      dns: values.dns,
      images,
      positionals,
    };
  } catch (cause) {
    throw new BerthError('INVALID_ARGUMENT', messageOf(cause), { cause });
  }
}

/** `--name NAME` or `--name=NAME` in front, and what follows untouched, because it is another program's. */
function leadingName(args: readonly string[]): [name: string, rest: readonly string[]] {
  const [first, second] = args;
  if (first === '--name' && second !== undefined) return [second, args.slice(2)];
  if (first?.startsWith('--name=') === true) return [first.slice('--name='.length), args.slice(1)];
  return ['default', args];
}

function findNode(cluster: Cluster, name: string): ClusterNode {
  const node = cluster.nodes.find((candidate) => candidate.name === name);
  if (node !== undefined) return node;
  const names = cluster.nodes.map((candidate) => candidate.name).join(', ');
  throw new BerthError('NOT_FOUND', `cluster "${cluster.name}" has no node "${name}"; it has ${names}`);
}

function findComponent(node: ClusterNode, name: string): ComponentName {
  const component = node.components.find((candidate) => candidate === name);
  if (component !== undefined) return component;
  throw new BerthError('NOT_FOUND', `${node.name} has no component "${name}"; it has ${node.components.join(', ')}`);
}

/** Runs a program with this terminal and resolves with its exit code. */
function attached(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit', env });
    child.on('error', reject);
    child.on('close', (code) => {
      resolve(code ?? 1);
    });
  });
}

function wrongUsage(): number {
  process.stderr.write(usage);
  return 2;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof BerthError)) throw error;
  if (!interruption.signal.aborted) say(`cluster: ${error.message}`);
  process.exitCode = error.code === 'INVALID_ARGUMENT' ? 2 : 1;
}
