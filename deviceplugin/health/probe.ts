/** Looking at one unit: attribute values, opening its nodes, a command. The only file here that touches devices. */
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HealthRule } from '../config/health.ts';
import { matchesText } from '../config/textpattern.ts';
import { errnoOf, messageOf } from '../../kit/errors.ts';
import type { Observation } from './hysteresis.ts';

/** What is probed: plain facts, taken from a unit. */
export interface Subject {
  readonly resource: string;
  readonly id: string;
  /** Nodes as the host names them. */
  readonly paths: readonly string[];
  /** Folders of sysfs in which attributes are looked for, in this order: members, then what is above them. */
  readonly devpaths: readonly string[];
}

export interface ProbeRoots {
  readonly devRoot: string;
  readonly sysRoot: string;
}

/** Whether a rule asks for more than that a unit is there. */
export function isProbed({ open: how, attributes, command }: HealthRule): boolean {
  return how !== 'no' || attributes.length > 0 || command !== undefined;
}

/** The first thing that is wrong, or undefined. Never throws; may take as long as the kernel lets it: the caller limits the time. */
export async function probe(subject: Subject, rule: HealthRule, roots: ProbeRoots): Promise<Observation> {
  for (const attribute of rule.attributes) {
    const wrong = await checkAttribute(subject.devpaths, attribute, roots.sysRoot);
    if (wrong !== undefined) return wrong;
  }
  if (rule.open !== 'no')
    for (const path of subject.paths) {
      const wrong = await checkOpen(path, rule.open, roots.devRoot);
      if (wrong !== undefined) return wrong;
    }
  return rule.command === undefined ? undefined : await runCommand(subject, rule.command, rule.timeoutSeconds);
}

async function checkOpen(path: string, how: 'r' | 'rw', devRoot: string): Promise<Observation> {
  // Non-blocking, so that a serial port does not wait for a carrier, and never as the controlling terminal of the agent.
  const flags = (how === 'r' ? constants.O_RDONLY : constants.O_RDWR) | constants.O_NONBLOCK | constants.O_NOCTTY;
  try {
    const file = await open(join(devRoot, path.slice('/dev'.length)), flags);
    await file.close();
    return undefined;
  } catch (thrown) {
    // Whoever has it for himself alone, a pod as a rule, shows that it works.
    return errnoOf(thrown) === 'EBUSY' ? undefined : `has a node that does not open: ${messageOf(thrown)}`;
  }
}

async function checkAttribute(
  devpaths: readonly string[],
  { name, is, min, max }: HealthRule['attributes'][number],
  sysRoot: string,
): Promise<Observation> {
  for (const devpath of devpaths) {
    let value: string;
    try {
      value = (await readFile(join(sysRoot, devpath, name), 'utf8')).trim();
    } catch (thrown) {
      if (['ENOENT', 'ENOTDIR'].includes(errnoOf(thrown) ?? '')) continue;
      return `has an attribute ${name} that cannot be read: ${messageOf(thrown)}`;
    }
    const shown = JSON.stringify(value.slice(0, 64));
    if (is !== undefined && !matchesText(is, value)) return `has ${name} ${shown}, not ${is}`;
    if (min === undefined && max === undefined) return undefined;
    const number = value === '' ? NaN : Number(value);
    if (Number.isNaN(number)) return `has ${name} ${shown}, which is no number`;
    if (min !== undefined && number < min) return `has ${name} ${shown}, less than ${min}`;
    if (max !== undefined && number > max) return `has ${name} ${shown}, more than ${max}`;
    return undefined;
  }
  return `has no attribute ${name}, and nothing above it has`;
}

/** Runs the command in a process group of its own, killed whole when its time is over. */
async function runCommand(
  subject: Subject,
  [program = '', ...args]: readonly string[],
  seconds: number,
): Promise<Observation> {
  return await new Promise((resolve) => {
    const child = spawn(program, args, {
      // Nothing of the agent's own environment: a probe needs no tokens.
      env: {
        PATH: process.env['PATH'],
        BERTH_RESOURCE: subject.resource,
        BERTH_DEVICE_ID: subject.id,
        BERTH_DEVICE_PATHS: subject.paths.join(','),
      },
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let said = '';
    for (const stream of [child.stderr, child.stdout])
      stream.setEncoding('latin1').on('data', (text: string) => {
        // The rest is read and forgotten, so that nobody waits for a full pipe.
        if (said.length < maxOutput) said += text.slice(0, maxOutput);
      });
    let late = false;
    const end = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Nothing of the group lives any more.
      }
    };
    const timer = setTimeout(() => {
      late = true;
      end();
    }, seconds * 1_000);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve(`could not be probed by ${program}: ${errnoOf(error) ?? error.message}`);
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      // What it left in the background would hold the pipes open, and be more with each probe.
      end();
      if (late) resolve(`did not answer ${program} within ${seconds} s`);
      else if (code === 0) resolve(undefined);
      // The pipes may still hold what it said last.
      else
        child.on('close', () => {
          resolve(`failed ${program} (${signal ?? `exit code ${code ?? '?'}`})${lineOf(said)}`);
        });
    });
  });
}

/** Characters of a command's output that are looked at. */
const maxOutput = 4_096;

/** The first line of what a command said, harmless and short. */
function lineOf(output: string): string {
  const line = output.split('\n').find((each) => each.trim() !== '') ?? '';
  const clean = line
    .replace(/[^\x20-\x7e]/g, '?')
    .trim()
    .slice(0, 160);
  return clean === '' ? '' : `: ${clean}`;
}
