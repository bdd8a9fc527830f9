/** `berth explain PATH`: what a device node is, and why it is, or is not, part of each resource. */
import { stringify } from 'yaml';
import type { ExplainedDevice, Explanation, ResourceVerdict } from '../../deviceplugin/units/explain.ts';
import { askAgent } from './ask.ts';
import type { Output } from './choices.ts';
import { harmless } from './harmless.ts';

/** Prints to standard output; throws when no agent answers. Resolves to 1 when there is no such node, else to 0. */
export async function explain(path: string, output: Output, socket: string): Promise<number> {
  const [explanation] = (await askAgent(socket, 'explain', path)) as readonly Explanation[];
  if (explanation === undefined) return 1;
  if (output === 'json') process.stdout.write(`${JSON.stringify(explanation, null, 2)}\n`);
  else if (output === 'yaml') process.stdout.write(stringify(explanation));
  else process.stdout.write(describe(explanation, output === 'wide'));
  return 'absent' in explanation ? 1 : 0;
}

/** The text for people. `wide` adds what udev knows. */
export function describe(explanation: Explanation, wide: boolean): string {
  if ('absent' in explanation) return `${harmless(explanation.asked)} ${explanation.absent}\n`;
  const { node, denial, lineage, resources } = explanation;
  return [
    `${harmless(node.path)} (${node.number})`,
    ...node.links.map((link) => `  link ${harmless(link)}`),
    ...(denial === undefined ? [] : [`  only rules that name its exact path get it: it ${denial}`]),
    ...lineage.flatMap((device, depth) => describeDevice(device, depth, wide)),
    ...resources.flatMap(describeVerdict),
    '',
  ].join('\n');
}

function describeDevice(device: ExplainedDevice, depth: number, wide: boolean): string[] {
  const { name, subsystem, devtype, driver, usb, pci, udev } = device;
  const facts = [
    `subsystem ${subsystem}${devtype === undefined ? '' : ` (${devtype})`}`,
    ...(driver === undefined ? [] : [`driver ${driver}`]),
    ...(usb === undefined ? [] : [`usb ${usb}`]),
    ...(pci === undefined ? [] : [`pci ${pci}`]),
  ];
  const properties = wide ? Object.entries(udev).map(([key, value]) => `      ${key}=${value}`) : [];
  return [`${depth === 0 ? '  is ' : '  below '}${name}: ${facts.join(', ')}`, ...properties].map(harmless);
}

const outcomes: Readonly<Record<ResourceVerdict['outcome'], string>> = {
  has: 'has it',
  with: 'gives it with each of its units',
  owned: 'would have it, but it',
  denied: 'does not get it: it',
  incomplete: 'fits, but there is no unit: it',
  no: 'does not fit',
};

function describeVerdict({ resource, outcome, reason, entries }: ResourceVerdict): string[] {
  const head = `${resource} ${outcomes[outcome]}${reason === undefined ? '' : ` ${reason}`}`;
  const lines = entries.map(({ key, failure }) => `  ${key}: ${failure ?? 'fits'}`);
  return [head, ...lines].map(harmless);
}
