import { expect, test } from 'vitest';
import { formatProblem } from '../../kit/config/problem.ts';
import { parseRules } from './rulesfile.ts';

const fuse = 'resources:\n  - name: berth.dev/fuse\n    paths: [/dev/fuse]\n';

function problemsOf(text: string, others: readonly (readonly [string, string])[] = []): readonly string[] {
  const parsed = parseRules(text, { mountRoots: ['/opt/firmware'], otherNames: new Map(others) });
  return 'problems' in parsed ? parsed.problems.map((problem) => formatProblem('20-fuse.yaml', problem)) : [];
}

test('a right file gives its rules with every default', () => {
  expect(parseRules(fuse, { mountRoots: [], otherNames: new Map() })).toMatchObject({
    rules: [{ name: 'berth.dev/fuse', paths: ['/dev/fuse'], permissions: 'rw', sharing: { replicas: 1 } }],
  });
});

test.each<[string, string, readonly string[]]>([
  ['an empty file', '', ['20-fuse.yaml: expected a map, got null']],
  ['text that is no YAML', 'resources: [', [expect.stringContaining('20-fuse.yaml:1: YAML: ') as string]],
  ['another key', `${fuse}deny: []\n`, ['20-fuse.yaml:4: deny: unknown key; expected one of resources']],
  [
    'a key of old',
    `${fuse}    count: 2\n`,
    [expect.stringContaining('20-fuse.yaml:4: resources[0].count: unknown key; expected one of name, paths') as string],
  ],
  [
    'an unknown key deep in a selector',
    'resources:\n  - name: a.b/c\n    match:\n      - parent:\n          usb: {vid: "0403"}\n',
    [expect.stringContaining('20-fuse.yaml:5: resources[0].match[0].parent.usb.vid: unknown key; expected') as string],
  ],
  [
    'a mount outside of the folders that are allowed',
    `${fuse}    container: {mounts: [{hostPath: /etc, containerPath: /etc}]}\n`,
    [
      '20-fuse.yaml:4: resources[0].container.mounts[0].hostPath: must be below one of devices.mountRoots (/opt/firmware)',
    ],
  ],
])('%s is named', (_what, text, expected) => {
  expect(problemsOf(text)).toEqual(expected);
});

test('a name that another file has is named with both files', () => {
  expect(problemsOf(fuse, [['berth.dev/fuse', '10-base.yaml']])).toEqual([
    '20-fuse.yaml:2: resources[0].name: "berth.dev/fuse" is in 10-base.yaml, too; put all its devices into one resource',
  ]);
  expect(problemsOf(fuse, [['berth-dev/fuse', 'devices.resources']])).toEqual([
    '20-fuse.yaml:2: resources[0].name: "berth.dev/fuse" and "berth-dev/fuse" of devices.resources give the same environment variables; rename one',
  ]);
});
