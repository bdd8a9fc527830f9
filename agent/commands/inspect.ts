/** `berth inspect VOLUME`: everything about one volume or snapshot. */
import { stringify } from 'yaml';
import type { InspectedSnapshot, InspectedVolume } from '../../csi/objectinspection.ts';
import type { PlaceView } from '../../csi/views.ts';
import { askAgent } from './ask.ts';
import { ageText, orNone, sizeText } from './cells.ts';
import type { Output } from './choices.ts';
import type { AskedAt } from './get.ts';
import { harmless } from './harmless.ts';

type Inspected = InspectedVolume | InspectedSnapshot;

/** Prints to standard output; throws when there is no such volume or nobody answers. Resolves to the exit code. */
export async function inspect(asked: string, output: Output, { socket, poolPath }: AskedAt): Promise<number> {
  const found =
    poolPath === undefined ? ((await askAgent(socket, 'inspect', asked))[0] as Inspected) : await read(asked, poolPath);
  if (output === 'json') process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
  else if (output === 'yaml') process.stdout.write(stringify(found));
  else process.stdout.write(describe(found, { wide: output === 'wide', now: Date.now() }));
  return 0;
}

async function read(asked: string, poolPath: string): Promise<Inspected> {
  // Loaded only here, because it brings the kernel with it.
  const { inspectInPoolFolder } = await import('./poolfolder.ts');
  return await inspectInPoolFolder(asked, poolPath);
}

type Line = readonly [label: string, ...values: readonly string[]];

/** The text for people. `wide` adds what only matters when something is wrong. */
export function describe(found: Inspected, { wide, now }: { readonly wide: boolean; readonly now: number }): string {
  const ago = (time: string): string => `${time} (${ageText(now - Date.parse(time))} ago)`;
  const { pool, engine, poolPath, uuid } = found;
  const lines: Line[] = [
    ['Claim', orNone(found.claim)],
    ['Name', found.name],
    ['Pool', `${pool}${engine === '' ? '' : ` (${engine})`}`, ...(wide ? [poolPath, `node ${found.node}`] : [])],
    ['Type', found.type === 'block' ? 'raw block' : found.type, ...(wide && uuid !== '' ? [`UUID ${uuid}`] : [])],
    ['State', found.deletedAt === '' ? found.state : 'in the trash'],
    ['Created', ago(found.createdAt)],
    ...(found.deletedAt === '' ? [] : [['Deleted', ago(found.deletedAt)] as const]),
    ...(found.expiresAt === '' ? [] : [['Kept until', found.expiresAt] as const]),
    ...(found.kind === 'volume' ? describeVolume(found) : describeSnapshot(found)),
    ...describeFile(found),
    ...(wide ? [['Family', found.family] as const] : []),
    ...(found.kind === 'volume'
      ? linesOf(
          'Health',
          found.health.map(({ reason, message }) => `${reason}: ${message}`),
        )
      : []),
    ...(found.problems.length === 0 ? [] : [['Problems', ...found.problems] as const]),
  ];
  const width = Math.max(...lines.map(([label]) => label.length)) + 3;
  const texts = lines.flatMap(([label, ...values]) =>
    values.map((value, index) => `  ${(index === 0 ? `${label}:` : '').padEnd(width)}${harmless(value)}`),
  );
  return [`${found.kind === 'volume' ? 'Volume' : 'Snapshot'} ${harmless(found.id)}`, ...texts, ''].join('\n');
}

function describeVolume(volume: InspectedVolume): readonly Line[] {
  const { size, provisioning, grownFrom, device, filesystem, staged, published, limits, parameters } = volume;
  const pairs = (map: Readonly<Record<string, string>>): string[] =>
    Object.entries(map).map(([key, value]) => `${key}=${value}`);
  const growing = grownFrom === null ? [] : [`growing from ${sizeText(grownFrom)}`];
  return [
    ['Size', `${sizeText(size)} ${provisioning}`, ...growing],
    ...(volume.ephemeral ? [["Pod's own", 'goes with the pod'] as const] : []),
    ['Source', orNone(volume.source)],
    ...linesOf('Parameters', pairs(parameters)),
    ...linesOf('Limits', pairs(limits)),
    ...linesOf('Snapshots', volume.snapshots),
    ['Staged', orNone(staged)],
    ['Published', ...nonEmpty(published.map(describePlace))],
    ...(device === null
      ? []
      : [
          [
            'Device',
            `/dev/${device.name} (${device.number}), ${device.directIo ? 'direct I/O' : 'through the page cache'}`,
          ] as const,
        ]),
    ...(filesystem === null
      ? []
      : [
          [
            'Used',
            `${sizeText(filesystem.bytes.used)} of ${sizeText(filesystem.bytes.total)}`,
            `${filesystem.inodes.used} of ${filesystem.inodes.total} inodes`,
          ] as const,
        ]),
  ];
}

function describeSnapshot(snapshot: InspectedSnapshot): readonly Line[] {
  return [
    ['Size', `${sizeText(snapshot.size)}, space ${snapshot.reserved ? 'reserved for all of it' : 'not reserved'}`],
    ['Source', `volume ${snapshot.source}`],
    ...linesOf('Group', snapshot.group === '' ? [] : [snapshot.group]),
  ];
}

function describeFile({ file, engine, type, deletedAt }: Inspected): readonly Line[] {
  if (file !== null) return [['File', file.path, `${sizeText(file.size)} long, ${sizeText(file.allocated)} on disk`]];
  // Without an agent the engine is unknown; these types only images have.
  const isImage = engine === 'image' || (engine === '' && ['xfs', 'ext4', 'block'].includes(type));
  return isImage && deletedAt === '' ? [['File', 'missing']] : [];
}

function describePlace({ path, readonly, pod }: PlaceView): string {
  return `${path}${readonly ? ' (read-only)' : ''}${pod === '' ? '' : `, pod ${pod}`}`;
}

function linesOf(label: string, values: readonly string[]): readonly Line[] {
  return values.length === 0 ? [] : [[label, ...values]];
}

function nonEmpty(values: readonly string[]): readonly string[] {
  return values.length === 0 ? ['<none>'] : values;
}
