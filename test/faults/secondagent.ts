/**
 * A second agent on a node, for devices only and with a configuration of its own, among the files of the first one's container:
 * for what the DaemonSet's configuration does not say. Neither kubelet nor runtime know of it, so nothing ends it with them or
 * starts it again, and a test can see what is when there is none.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandResult } from '../../cluster/command.ts';
import type { ClusterNode } from '../../cluster/node.ts';
import { eventually } from '../cluster/scene.ts';
import { agentPids } from './agent.ts';

const folder = '/var/lib/berth/second-agent';
const file = `${folder}/config.yaml`;
const port = 9881;

export interface SecondAgent {
  /** Resolves when it says that it is ready. */
  start(): Promise<void>;
  /** Resolves when it says that everything is registered. */
  ready(): Promise<void>;
  /** Ends it with a signal; resolves with its output when it has ended. */
  end(signal: 'KILL' | 'TERM'): Promise<string>;
  /** Ends it if it runs, and removes all that it had. */
  remove(): Promise<void>;
}

/** `devices` is the section of its configuration. */
export function secondAgent(node: ClusterNode, devices: object): SecondAgent {
  const config = {
    apiVersion: 'berth.dev/v1alpha1',
    kind: 'NodeConfig',
    agent: { port, socket: `${folder}/agent.sock`, stateDir: folder },
    devices: { cdiDir: `${folder}/cdi`, ...devices },
  };
  let running: Promise<CommandResult> | undefined;

  const ready = async (): Promise<void> => {
    const probe = ['timeout', '5', 'busybox', 'wget', '-q', '-O', '-', `http://127.0.0.1:${port}/readyz`];
    await eventually(`the second agent of ${node.name} to be ready`, 60, async () =>
      (await node.exec(probe)).code === 0 ? true : undefined,
    );
  };
  const end = async (signal: 'KILL' | 'TERM'): Promise<string> => {
    await node.exec(['pkill', `-${signal}`, '-f', `berth.mjs run --config ${file}`]);
    const ended = await running;
    running = undefined;
    return (ended?.stdout ?? '') + (ended?.stderr ?? '');
  };
  return {
    start: async () => {
      await node.exec(['sh', '-c', `mkdir -p ${folder} && cat > ${file}`], { stdin: JSON.stringify(config) });
      const [first = ''] = (await agentPids(node))?.split('\n') ?? [];
      const berth = ['/opt/berth/bin/node', '/opt/berth/berth.mjs', 'run', '--config', file];
      running = node.exec(['nsenter', '--target', first, '--mount', '--', ...berth]);
      await Promise.race([ready(), running.then(refuse)]);
    },
    ready,
    end,
    remove: async () => {
      if (running !== undefined) await end('TERM');
      await rm(join(node.rootDir, folder), { recursive: true, force: true });
    },
  };
}

function refuse({ stdout, stderr }: CommandResult): never {
  throw new Error(`the second agent has ended: ${(stdout + stderr).trim().split('\n').slice(-5).join('\n')}`);
}
