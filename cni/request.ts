/** The door: environment variables and standard input of a CNI call become a checked request, or an error with its CNI code. */
import { z } from 'zod';
import { decodeDns } from './dns.ts';
import type { Dns } from './dns.ts';
import { CniError } from './errors.ts';
import { decodePrevious, refuseTaken } from './previous.ts';
import type { PreviousResult } from './previous.ts';
import { cniCode, supportedVersions } from './protocol.ts';
import { decodeWishes, parseArgs } from './wishes.ts';
import type { Wishes } from './wishes.ts';

/** What an attachment is known by: a container and the name of its interface. */
export interface AttachmentKey {
  readonly containerID: string;
  readonly ifname: string;
}

/** The pod as the runtime names it in CNI_ARGS; for people, never for decisions. */
export interface PodName {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

interface Common {
  readonly cniVersion: string;
  readonly network: string;
}

interface WithAttachment extends Common {
  readonly key: AttachmentKey;
  /** The request is for the plugin type `loopback`, which containerd runs for each pod. */
  readonly loopback: boolean;
}

export type CniRequest =
  | (WithAttachment & {
      readonly command: 'ADD';
      readonly netns: string;
      readonly pod: PodName | undefined;
      readonly wishes: Wishes;
      /** What plugins before us in the list made. */
      readonly previous: PreviousResult | undefined;
      readonly dns: Dns | undefined;
    })
  | (WithAttachment & { readonly command: 'DEL'; readonly netns: string | undefined })
  | (WithAttachment & { readonly command: 'CHECK'; readonly netns: string; readonly addresses: readonly string[] })
  | (Common & { readonly command: 'GC'; readonly valid: readonly AttachmentKey[] | undefined })
  | (Common & { readonly command: 'STATUS' });

const commands = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS'] as const;
type Command = (typeof commands)[number];

const containerIdPattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}$/;
const networkNamePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;
// Printable ASCII without "/", ":" (specification) and "%" (the kernel counts with it).
const interfacePattern = /^[!-$&-.0-9;-~]{1,15}$/;
const kubernetesNamePattern = /^[a-zA-Z0-9][a-zA-Z0-9.-]{0,252}$/;

const attachmentList = z.array(z.looseObject({ containerID: z.string(), ifname: z.string() }));
const configSchema = z.looseObject({
  cniVersion: z.string().default('0.1.0'),
  name: z.string().regex(networkNamePattern),
  type: z.string(),
  // Checked where it counts: a DEL works with the broken one of a runtime that lost power.
  prevResult: z.unknown().optional(),
  'cni.dev/valid-attachments': attachmentList.nullish(),
  'cni.dev/attachments': attachmentList.nullish(),
});
type Config = z.infer<typeof configSchema>;

/** The version a broken request asked for, for the error that answers it: best effort. */
export function versionOf(stdin: Uint8Array): string {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(stdin));
    if (typeof parsed === 'object' && parsed !== null && 'cniVersion' in parsed)
      if (typeof parsed.cniVersion === 'string' && /^\d+\.\d+\.\d+$/.test(parsed.cniVersion)) return parsed.cniVersion;
  } catch {
    // Answered with the newest version, as the specification has nothing better.
  }
  return '1.1.0';
}

/**
 * Checks a call. Throws CniError with code 1 (version), 4 (variables, all that are wrong at once), 6 (not JSON) or 7
 * (network configuration). CNI specification 1.1.0, sections 2 and 4.
 */
export function decodeRequest(variables: Readonly<Record<string, string>>, stdin: Uint8Array): CniRequest {
  const command = decodeCommand(variables['CNI_COMMAND'] ?? '');
  const attachment = decodeVariables(command, variables);
  const config = decodeConfig(stdin);
  const loopback = config.type === 'loopback';
  checkVersion(command, config.cniVersion);
  const common = { cniVersion: config.cniVersion, network: config.name };
  const withAttachment = { ...common, key: attachment.key, loopback };
  switch (command) {
    case 'ADD': {
      const previous = decodePrevious(config.prevResult);
      if (!loopback) refuseTaken(previous, attachment.key.ifname);
      const dns = decodeDns(config);
      return {
        ...withAttachment,
        command,
        netns: attachment.netns,
        ...decodeArguments(config, variables),
        previous,
        dns,
      };
    }
    case 'DEL':
      return { ...withAttachment, command, netns: attachment.netns === '' ? undefined : attachment.netns };
    case 'CHECK': {
      const previous = decodePrevious(config.prevResult);
      if (previous === undefined && !loopback)
        throw new CniError(
          cniCode.invalidNetworkConfig,
          'CHECK needs prevResult, the result of the ADD it is to check',
        );
      const addresses = (previous?.ips ?? []).map((ip) => ip.address);
      return { ...withAttachment, command, netns: attachment.netns, addresses };
    }
    case 'GC': {
      const valid = config['cni.dev/valid-attachments'] ?? config['cni.dev/attachments'];
      return { ...common, command, valid: valid ?? undefined };
    }
    case 'STATUS':
      return { ...common, command };
  }
}

function decodeCommand(text: string): Command {
  const command = commands.find((known) => known === text);
  if (command === undefined)
    throw new CniError(
      cniCode.invalidEnvironment,
      `CNI_COMMAND is ${JSON.stringify(text.slice(0, 40))}, expected one of ${commands.join(', ')}, VERSION`,
    );
  return command;
}

function decodeVariables(
  command: Command,
  variables: Readonly<Record<string, string>>,
): { readonly key: AttachmentKey; readonly netns: string } {
  const containerID = variables['CNI_CONTAINERID'] ?? '';
  const ifname = variables['CNI_IFNAME'] ?? '';
  const netns = variables['CNI_NETNS'] ?? '';
  const wrong: string[] = [];
  if (command === 'ADD' || command === 'DEL' || command === 'CHECK') {
    if (!containerIdPattern.test(containerID))
      wrong.push('CNI_CONTAINERID must be 1 to 200 letters, digits, "_", "." or "-", the first a letter or digit');
    if (!interfacePattern.test(ifname) || ifname === '.' || ifname === '..')
      wrong.push('CNI_IFNAME must be 1 to 15 printable characters without "/", ":" and "%"');
    if (netns === '' ? command !== 'DEL' : !isCleanPath(netns))
      wrong.push('CNI_NETNS must be an absolute path of a network namespace without ".."');
  }
  if (wrong.length > 0) throw new CniError(cniCode.invalidEnvironment, wrong.join('; '));
  return { key: { containerID, ifname }, netns };
}

function isCleanPath(path: string): boolean {
  return path.startsWith('/') && path.length < 4096 && !/[\0-\x1f\x7f]/.test(path) && !path.split('/').includes('..');
}

function decodeConfig(stdin: Uint8Array): Config {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(stdin));
  } catch (error) {
    throw new CniError(cniCode.decodeFailure, 'the network configuration on standard input is not JSON', {
      cause: error,
    });
  }
  const checked = configSchema.safeParse(parsed);
  if (checked.success) return checked.data;
  const issues = checked.error.issues.map((issue) => `${issue.path.join('.') || 'the document'}: ${issue.message}`);
  throw new CniError(cniCode.invalidNetworkConfig, `the network configuration is invalid: ${issues.join('; ')}`);
}

function checkVersion(command: Command, version: string): void {
  if (!supportedVersions.includes(version))
    throw new CniError(
      cniCode.incompatibleVersion,
      `CNI version ${JSON.stringify(version.slice(0, 20))} is not supported, expected one of ${supportedVersions.join(', ')}`,
    );
  if ((command === 'GC' || command === 'STATUS') && version !== '1.1.0')
    throw new CniError(cniCode.incompatibleVersion, `${command} exists since CNI version 1.1.0, asked with ${version}`);
  if (command === 'CHECK' && /^0\.[123]\./.test(version))
    throw new CniError(cniCode.incompatibleVersion, `CHECK exists since CNI version 0.4.0, asked with ${version}`);
}

function decodeArguments(
  config: Config,
  variables: Readonly<Record<string, string>>,
): { readonly pod: PodName | undefined; readonly wishes: Wishes } {
  const args = parseArgs(variables['CNI_ARGS'] ?? '');
  return { pod: podOf(args), wishes: decodeWishes(config, args) };
}

/** The pod's name; undefined when it is not there or not a name. Other keys are the runtime's own affair. */
function podOf(args: ReadonlyMap<string, string>): PodName | undefined {
  const pod = {
    namespace: args.get('K8S_POD_NAMESPACE') ?? '',
    name: args.get('K8S_POD_NAME') ?? '',
    uid: args.get('K8S_POD_UID') ?? '',
  };
  const named = kubernetesNamePattern.test(pod.namespace) && kubernetesNamePattern.test(pod.name);
  return named && (pod.uid === '' || kubernetesNamePattern.test(pod.uid)) ? pod : undefined;
}
