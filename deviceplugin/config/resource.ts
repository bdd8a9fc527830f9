/** A resource of the `devices` section: which devices it has, what a container gets of them, how they are shared and watched. */
import { z } from 'zod';
import { identityKinds } from '../units/identitykinds.ts';
import { health } from './health.ts';
import { problemOfResourceName } from './resourcename.ts';
import { selector } from './selector.ts';
import { devicePath, noClimbing, pathGlob, template } from './text.ts';
import { uses } from './template.ts';

const resourceName = z
  .string()
  .superRefine((name, context) => {
    const problem = problemOfResourceName(name);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({ title: 'qualified name' });

/** What ties several nodes to one unit. */
export const groupKinds = ['usbDevice', 'pciFunction', 'iommuGroup'] as const;

const member = z.strictObject({
  role: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be small letters, digits and "-", at most 32')
    .describe('Name of the part, for `{{role}}`.'),
  match: selector.describe('Which nodes of the group play it; there may be several.'),
  required: z.boolean().default(true).describe('Whether there is no unit without it.'),
});

const group = z.strictObject({
  by: z.enum(groupKinds).describe('What the nodes of a unit have in common.'),
  match: selector
    .optional()
    .describe('Which devices of that kind: holds for the USB device or the PCI function itself.'),
  members: z
    .array(member)
    .min(1)
    .max(16)
    .refine((members) => members.some(({ required }) => required), 'must have a member that is required')
    .refine((members) => new Set(members.map(({ role }) => role)).size === members.length, 'must not have a role twice')
    .describe('The parts. A node plays the first that it fits.'),
});

const containerPath = template
  .refine((path) => /^\/dev\/[A-Za-z0-9._:+@{} /-]+$/.test(path) && !path.includes('//'), 'must be a path below /dev')
  .refine(noClimbing, 'must not contain "." or ".."')
  .meta({ title: 'path below /dev, a template' });

const mountPath = template
  .refine(
    (path) => path.startsWith('/') && path.length > 1 && !path.endsWith('/'),
    'must be an absolute path without a slash at its end',
  )
  .refine(noClimbing, 'must not contain "." or ".."')
  .meta({ title: 'absolute path, a template' });

const container = z.strictObject({
  path: containerPath
    .optional()
    .describe('Where a node appears: a path, or a folder ending in `/`. Without it: the path on the host.'),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of an environment variable'), template)
    .default({})
    .describe('Environment variables. `{{path}}` is the path in the container.'),
  annotations: z
    .record(
      z
        .string()
        .regex(/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/, 'must be an annotation key')
        .refine(
          (key) => !key.startsWith('cdi.k8s.io/'),
          'must not begin with cdi.k8s.io/, by which the runtime would give the container devices of others',
        ),
      template,
    )
    .default({})
    .describe('Annotations of the container that its runtime sees.'),
  mounts: z
    .array(
      z.strictObject({
        hostPath: mountPath.describe('What is mounted: below one of `mountRoots`.'),
        containerPath: mountPath.describe('Where.'),
        readOnly: z.boolean().default(true).describe('Whether it cannot be written to.'),
      }),
    )
    .max(16)
    .default([])
    .describe('Files and folders of the host that a container gets with its device.'),
});

const sharing = z
  .strictObject({
    replicas: z.int().min(1).max(10_000).default(1).describe('How many containers may have each unit at a time.'),
    maxPerContainer: z
      .int()
      .min(1)
      .max(10_000)
      .default(1)
      .describe('How many replicas of one unit a container may have: more give it no more of the device.'),
    policy: z
      .enum(['distributed', 'packed'])
      .default('distributed')
      .describe('Whether containers spread over the units, or fill one after another.'),
  })
  .refine(({ replicas, maxPerContainer }) => maxPerContainer <= replicas, {
    error: 'must not be more than replicas',
    path: ['maxPerContainer'],
    when: ({ issues }) => issues.length === 0,
  });

export const injections = ['auto', 'cdi', 'devicespec'] as const;

const shape = z.strictObject({
  name: resourceName.describe('The name that pods write in their limits, such as `example.com/serial`.'),
  paths: z
    .array(pathGlob)
    .min(1)
    .max(64)
    .optional()
    .describe('The nodes that fit one of these patterns, each a unit; short for `match`.'),
  match: z
    .array(selector)
    .min(1)
    .max(64)
    .optional()
    .describe('The nodes that fit one of these selectors, each a unit; an earlier selector comes first.'),
  group: group
    .optional()
    .describe('Several nodes that belong together, such as a camera with its microphone, as one unit.'),
  together: z
    .array(devicePath)
    .min(1)
    .max(32)
    .optional()
    .describe('Exactly these paths as one unit, such as `/dev/net/tun` with `/dev/vhost-net`.'),
  directory: devicePath.optional().describe('All nodes below this folder as one unit.'),
  with: z
    .array(devicePath)
    .max(16)
    .default([])
    .describe('Nodes that come with each unit and belong to none, such as `/dev/vfio/vfio`.'),
  identity: z
    .array(z.enum(identityKinds))
    .min(1)
    .default([...identityKinds])
    .describe('What IDs are made of: the first that a device has, and has alone. `path` is added as the last.'),
  permissions: z
    .string()
    .regex(/^(?!.*(.).*\1)[rwm]{1,3}$/, 'must be one or more of r, w and m, each once')
    .meta({ title: 'letters of `rwm`' })
    .default('rw')
    .describe('What the container may do: `r` (read), `w` (write), `m` (make the node itself).'),
  container: container.prefault({}).describe('What a container sees.'),
  sharing: sharing.prefault({}).describe('Sharing by several containers, which divides and isolates nothing.'),
  health: health.prefault({}).describe('When a unit is healthy.'),
  topology: z.boolean().default(true).describe('Whether the kubelet hears of NUMA nodes.'),
  injection: z
    .enum(injections)
    .default('auto')
    .describe(
      'How nodes get into a container: named to the kubelet (`devicespec`), or by a CDI file that follows the device (`cdi`: containerd 2 or CRI-O 1.28). `auto`: a lasting link where there is one, `cdi` for what can be plugged where the runtime can, else `devicespec`.',
    ),
});

/** The ways to say which devices a resource has: exactly one is there. */
export const sources = ['paths', 'match', 'group', 'together', 'directory'] as const;

/** One resource of the configuration, complete. */
export const resource = shape.superRefine((rule, context) => {
  const refuse = (path: readonly (string | number)[], message: string): void => {
    context.addIssue({ code: 'custom', path: [...path], message });
  };
  const given = sources.filter((source) => rule[source] !== undefined);
  if (given.length !== 1)
    refuse(
      given.slice(1, 2),
      `must have exactly one of ${sources.join(', ')}; it has ${given.join(' and ') || 'none'}`,
    );
  const { path } = rule.container;
  // A selector may well single out one device, which is to be at the same place in every container.
  const many =
    rule.together !== undefined ||
    rule.directory !== undefined ||
    rule.group !== undefined ||
    (rule.paths ?? []).length > 1 ||
    (rule.paths ?? []).some((each) => /[*?[]/.test(each));
  if (path !== undefined && !path.endsWith('/') && many && !path.includes('{{'))
    refuse(
      ['container', 'path'],
      'must end in "/" (a folder) or contain a variable where there can be more than one node',
    );
  const templates = [
    path ?? '',
    ...Object.values(rule.container.env),
    ...Object.values(rule.container.annotations),
    ...rule.container.mounts.flatMap((mount) => [mount.hostPath, mount.containerPath]),
  ];
  if (rule.injection === 'cdi' && templates.some((text) => uses(text, 'index')))
    refuse(['injection'], 'must not be cdi with {{index}}: a CDI file is written before a container asks');
});

export type ResourceRule = z.output<typeof resource>;
