/**
 * A scripted kubelet as a process of its own, to be frozen. Run as a program with the kubelet's root as its argument it is that
 * kubelet, and tells over IPC what it knows of every resource at every change.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createLogger } from '../../../kit/log.ts';
import { FakeKubelet } from '../../kubelet/fakekubelet.ts';
import type { KnownResource } from '../../kubelet/kubeletscript.ts';

type Known = Readonly<Record<string, Pick<KnownResource, 'health' | 'lists'>>>;

export interface KubeletProcess {
  kill(signal: NodeJS.Signals): void;
  /** What it has told last of a resource. */
  of(resource: string): Known[string] | undefined;
  /** Resolves when the condition holds; it is looked at after each telling. */
  until(condition: () => boolean): Promise<void>;
  end(): Promise<void>;
}

export async function startKubeletProcess(root: string): Promise<KubeletProcess> {
  const child = fork(import.meta.filename, [root]);
  const gone = once(child, 'exit');
  let known: Known = {};
  child.on('message', (message) => {
    known = message as Known;
  });
  await once(child, 'message');
  return {
    kill: (signal) => child.kill(signal),
    of: (resource) => known[resource],
    until: async (condition) => {
      while (!condition()) await once(child, 'message');
    },
    end: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

if (import.meta.main) {
  const kubelet = new FakeKubelet(process.argv[2] ?? '', createLogger('error', { write: () => undefined }));
  await kubelet.start();
  const tell = (): void => {
    const known = [...kubelet.resources].map(([resource, { health, lists }]) => [resource, { health, lists }]);
    process.send?.(Object.fromEntries(known));
  };
  tell();
  for (;;) {
    let looked = false;
    await kubelet.until(() => (looked ? true : ((looked = true), false)));
    tell();
  }
}
