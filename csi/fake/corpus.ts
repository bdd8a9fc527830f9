/** Texts that want to be a path, an option, a line of its own or too much: for every field of a request that holds text. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A folder beside the node's, which nothing may touch, and how pods would lead there. */
export interface Surroundings {
  readonly kubeletRoot: string;
  /** It has files called `precious` with every suffix of ours, and an empty file and folder, which are removed most easily. */
  readonly canary: string;
}

const suffixes = ['', '.json', '.img'];

/** Makes the canary, and a link to it in the kubelet's folder `pods`. */
export async function plantCanary({ kubeletRoot, canary }: Surroundings): Promise<void> {
  await mkdir(join(canary, 'empty'), { recursive: true });
  for (const suffix of suffixes) await writeFile(join(canary, `precious${suffix}`), 'precious');
  await writeFile(join(canary, 'void'), '');
  await mkdir(join(kubeletRoot, 'pods'), { recursive: true });
  await symlink(canary, join(kubeletRoot, 'pods/link'));
}

/** As many steps up as any folder of a node lies deep below the one that holds the canary. */
const depths = [1, 2, 3, 4, 6];

export function hostileTexts({ kubeletRoot, canary }: Surroundings): readonly string[] {
  return [
    ...[
      '.',
      '..',
      '../',
      '../x',
      './x',
      '../../etc/passwd',
      'a/../../b',
      'a/..',
      '....//x',
      '.../x',
      '/',
      '//x',
      'a/b',
    ],
    ...depths.map((depth) => `${'../'.repeat(depth)}canary/precious`),
    // Absolute, by way of what is allowed, and through a link that leads there.
    ...['/etc/shadow', canary, join(canary, 'precious'), `file://${canary}`, kubeletRoot],
    ...[`${kubeletRoot}/pods/../../canary/precious`, `${kubeletRoot}/pods/x/..`, `${kubeletRoot}/pods/link`],
    ...['precious', 'empty', 'void', 'new'].map((name) => `${kubeletRoot}/pods/link/${name}`),
    ...[`${kubeletRoot}/plugins/kubernetes.io/../../../canary`, `${kubeletRoot}/pods/%2e%2e/x`],
    // Other ways to write the same.
    ...['..\\x', '..\\..\\canary', 'C:\\x', '\\\\server\\share'],
    ...['%2e%2e/x', '%2e%2e%2fx', '..%2fx', '%252e%252e%252fx', '..%c0%afx', '%00', '&#46;&#46;/x'],
    ...['\uff0e\uff0e\uff0fx', '\u2025/x', '..\u2215x', '..\u2044x', '.\u200b./x', '\u202e/../x', '\ufeff../x'],
    ...['e\u0301', '\ud83d\ude00'.repeat(16), '\ud800', 'x\u2028y'],
    // Ends of texts and lines, and what a terminal obeys.
    ...['\0', 'a\0b', '../x\0.json', 'a\nb', 'a\r\n{"level":"info"}', '\u001b[2J', '\u009b2J', 'a\u007fb', 'a\u0085b'],
    // For shells, programs, mounts, JSON and JavaScript.
    ...['-rf', '--help', '-o loop', '$(id)', '`id`', '; id', '| id', "' OR 1=1", '"}', 'a=b', 'a,suid', '*', '~', ' '],
    ...[
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      'null',
      'true',
      '-1',
      '1e9',
      'NaN',
      '9223372036854775808',
    ],
    // Too much.
    ...['x'.repeat(129), 'x'.repeat(256), 'x'.repeat(4097), '../'.repeat(2000), `/${'y/'.repeat(3000)}`],
    ...['\u009b'.repeat(64), '\n'.repeat(5000), 'z'.repeat(1 << 18)],
  ];
}
