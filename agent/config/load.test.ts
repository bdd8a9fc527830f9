import { expect, test } from 'vitest';
import { z } from 'zod';
import { loadConfig } from './load.ts';
import { formatProblem } from '../../kit/config/problem.ts';

const schemas = {
  agent: z.strictObject({ port: z.int().min(1).max(65535).default(9880) }),
  pets: z.strictObject({
    dogs: z.array(z.strictObject({ name: z.string().regex(/^[a-z]+$/, 'expected lower-case letters'), age: z.int() })),
    food: z.enum(['meat', 'fish']).default('meat'),
  }),
};

function problemsOf(text: string): string[] {
  const loaded = loadConfig(text, schemas, ['agent'], ({ agent, pets }) =>
    agent?.port === 7 && pets?.food === 'fish'
      ? [{ path: ['pets', 'food'], message: 'fish cannot be had on port 7', value: 'fish' }]
      : [],
  );
  return 'problems' in loaded ? loaded.problems.map((problem) => formatProblem('f.yaml', problem)) : [];
}

const head = 'apiVersion: berth.dev/v1alpha1\nkind: NodeConfig\n';

test('a right document gives its sections with defaults; one that is left out stays out', () => {
  expect(loadConfig(head, schemas, ['agent'], () => [])).toEqual({ config: { agent: { port: 9880 } } });
});

test.each<[string, string, string[]]>([
  ['an empty file', '', ['f.yaml: expected a map, got null']],
  ['a list', '- a', ['f.yaml: expected a map, got ["a"]']],
  [
    'another kind of document',
    'apiVersion: v1\nkind: Pod\n',
    [
      'f.yaml:1: apiVersion: expected "berth.dev/v1alpha1", got "v1"',
      'f.yaml:2: kind: expected "NodeConfig", got "Pod"',
    ],
  ],
  ['no kind', 'apiVersion: berth.dev/v1alpha1\n', ['f.yaml: kind: expected "NodeConfig"']],
  [
    'unknown keys at two depths',
    `${head}pet: {}\npets:\n  dogs:\n    - {name: rex, age: 1, colour: red}\n`,
    [
      'f.yaml:3: pet: unknown key; expected one of apiVersion, kind, agent, pets',
      'f.yaml:6: pets.dogs[0].colour: unknown key; expected one of name, age',
    ],
  ],
  [
    'wrong types in two sections',
    `${head}agent:\n  port: high\npets:\n  dogs:\n    - name: REX\n      age: 1.5\n    - age: 2\n  food: grass\n`,
    [
      'f.yaml:4: agent.port: expected a number, got "high"',
      'f.yaml:7: pets.dogs[0].name: expected lower-case letters, got "REX"',
      'f.yaml:8: pets.dogs[0].age: expected an integer, got 1.5',
      'f.yaml:9: pets.dogs[1].name: missing; expected a string',
      'f.yaml:10: pets.food: expected "meat" or "fish", got "grass"',
    ],
  ],
  ['a section without content', `${head}pets:\n`, ['f.yaml:3: pets: expected a map, got null']],
  ['duplicate keys', `${head}agent: {}\nagent: {}\n`, ['f.yaml:4: YAML: Map keys must be unique']],
  [
    'a number out of range',
    `${head}agent: {port: 70000}\n`,
    ['f.yaml:3: agent.port: expected number to be <=65535, got 70000'],
  ],
  [
    'a contradiction across sections',
    `${head}agent: {port: 7}\npets: {dogs: [], food: fish}\n`,
    ['f.yaml:4: pets.food: fish cannot be had on port 7, got "fish"'],
  ],
  [
    'an unknown tag',
    `${head}agent: !!js/function x\n`,
    ['f.yaml:3: YAML: Unresolved tag: tag:yaml.org,2002:js/function'],
  ],
  ['two documents', `${head}---\na: 1\n`, [expect.stringContaining('multiple documents') as string]],
  [
    'a key that means something to JavaScript',
    `${head}__proto__: {x: 1}\n`,
    [expect.stringContaining('__proto__') as string],
  ],
])('%s is named', (_, text, expected) => {
  expect(problemsOf(text)).toEqual(expected);
});

test('a value full of aliases is refused instead of filling the memory', () => {
  const levels = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(',')}]`);
  expect(problemsOf(`a0: &a0 x\n${levels.join('\n')}\n`).join()).toMatch(/YAML: Excessive alias count/);
});

test('a long value is cut and newlines are escaped', () => {
  const line = problemsOf(`${head}agent: {port: "${'x'.repeat(500)}\\n"}`)[0] ?? '';
  expect(line.length).toBeLessThan(160);
  expect(line).not.toContain('\n');
});
