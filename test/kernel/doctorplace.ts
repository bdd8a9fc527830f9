/** A mount and a network namespace in which the machine can be broken for the doctor alone, and the doctor's look at it. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finding } from '../../agent/doctor/finding.ts';

const program = join(import.meta.dirname, '../../agent/main.ts');

export interface DoctorPlace {
  /** A folder of the place's own, in the machine's tree. */
  readonly folder: string;
  /** A process of its namespaces. */
  readonly pid: number;
  /** Runs a shell line there; returns its output. */
  readonly inside: (line: string) => string;
  /** What the doctor says there, by ID, started with `before` in front. */
  readonly look: (before?: string) => ReadonlyMap<string, Finding>;
  /** The same for one probe. */
  readonly finding: (id: string, before?: string) => Finding;
  readonly close: () => Promise<void>;
}

/** `sections` are those of the NodeConfig (YAML), for the folder of the place. */
export async function makeDoctorPlace(sections: (folder: string) => string): Promise<DoctorPlace> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-doctor-'));
  await mkdir(join(folder, 'kubelet'));
  const head = `apiVersion: berth.dev/v1alpha1
kind: NodeConfig
agent: {nodeName: node-1, socket: ${folder}/agent.sock}
kubelet: {rootDir: ${folder}/kubelet}
`;
  await writeFile(join(folder, 'config.yaml'), head + sections(folder));
  // It ends with its input, which ends with this process.
  const holder = spawn(
    'unshare',
    ['--mount', '--net', '--propagation', 'private', 'sh', '-c', 'echo ready; exec cat'],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  await once(holder.stdout, 'data');
  const { pid } = holder;
  if (pid === undefined) throw new Error('unshare did not start');
  const inside = (line: string): string => {
    const enter = ['--target', String(pid), '--mount', '--net', '--', 'sh', '-c', line];
    return execFileSync('nsenter', enter, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  };
  const look = (before = ''): ReadonlyMap<string, Finding> => {
    const command = `${process.execPath} ${program} doctor --config ${folder}/config.yaml -o json`;
    // It exits with 1 where something failed; there is no Kubernetes here, so something always does.
    const { findings } = JSON.parse(inside(`${before} ${command} || true`)) as {
      readonly findings: readonly Finding[];
    };
    return new Map(findings.map((each) => [each.id, each]));
  };
  return {
    folder,
    pid,
    inside,
    look,
    finding: (id, before) => {
      const found = look(before).get(id);
      if (found === undefined) throw new Error(`the doctor does not ask for ${id}`);
      return found;
    },
    close: async () => {
      holder.stdin.end();
      await once(holder, 'exit');
      await rm(folder, { recursive: true });
    },
  };
}
