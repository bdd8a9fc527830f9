/** `berth uninstall`: takes Berth's network off the node it runs on, once no agent and no pod needs it. */
import { writeFile } from 'node:fs/promises';
import { networkSchema } from '../../cni/config.ts';
import { networkKernel } from '../../cni/kernel.ts';
import { describeRemoval } from '../../cni/uninstall/plan.ts';
import { uninstallNetwork } from '../../cni/uninstall/uninstall.ts';
import { agentSchema } from '../settings.ts';
import type { Report } from './choices.ts';
import { harmless } from './harmless.ts';
import { keptLine, keptOn } from './kept.ts';
import { readNodeConfig } from './readnodeconfig.ts';

export interface UninstallArguments {
  /** The NodeConfig that the agent ran with; without it every key has its default. */
  readonly config?: string;
  readonly force: boolean;
  readonly dryRun: boolean;
  /** Where what stays is written too, a line each. */
  readonly keptTo?: string;
  readonly output: Report;
}

/** Prints what was removed; throws when the node still needs it, unless it was only to look. Resolves to the exit code. */
export async function uninstall(given: UninstallArguments): Promise<number> {
  const { config: file, force, dryRun, output } = given;
  const config = file === undefined ? undefined : await readNodeConfig(file, 'any-node');
  if (file !== undefined && config === undefined) return 2;
  const network = config?.network ?? networkSchema.parse({});
  const { removals, refusals } = await uninstallNetwork({ config: network, kernel: networkKernel, force, dryRun });
  for (const refusal of refusals) process.stderr.write(`berth: it would be refused now: ${refusal}\n`);
  const stateDir = config?.agent.stateDir ?? agentSchema.parse({}).stateDir;
  const pools = (config?.storage?.pools ?? []).map(({ path }) => path);
  const kept = await keptOn(stateDir, network.runDir, pools);
  if (given.keptTo !== undefined) await writeFile(given.keptTo, linesOf(kept.map(keptLine)));
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify({ dryRun, removed: removals, refusals, kept }, null, 2)}\n`);
    return 0;
  }
  const verb = dryRun ? 'would remove' : 'removed';
  const lines = removals.map((removal) => `${verb} ${describeRemoval(removal)}`);
  process.stdout.write(lines.length === 0 ? "Nothing of Berth's network is on this node.\n" : linesOf(lines));
  // Whoever wants the data gone says so by deleting the claims, or the folder.
  process.stderr.write(linesOf(kept.map((each) => `berth: ${harmless(keptLine(each))}`)));
  return 0;
}

const linesOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
