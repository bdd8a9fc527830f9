/** The `devices` section of the NodeConfig: which device nodes are offered to pods, and under which resource names. */
import { z } from 'zod';
import { parseGlob } from './glob.ts';
import { environmentPart, problemOfResourceName } from './resourcename.ts';

/** Most units (device × count) of one resource: their list stays well below the 4 MiB the kubelet takes. */
export const maxUnitsPerResource = 20_000;

const resourceName = z
  .string()
  .superRefine((name, context) => {
    const problem = problemOfResourceName(name);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({ title: 'qualified name' });

const pathGlob = z
  .string()
  .superRefine((pattern, context) => {
    const glob = parseGlob(pattern);
    if (typeof glob === 'string') context.addIssue({ code: 'custom', message: glob });
  })
  .meta({ title: 'path pattern' });

const containerPath = z
  .string()
  .regex(/^\/dev(\/[A-Za-z0-9._:+@-]+)+\/?$/, 'must be a path below /dev')
  .refine((path) => !path.split('/').some((part) => part === '.' || part === '..'), 'must not contain "." or ".."')
  .meta({ title: 'path below /dev' });

const resource = z
  .strictObject({
    name: resourceName.describe('The name that pods write in their limits, such as `example.com/serial`.'),
    paths: z
      .array(pathGlob)
      .min(1)
      .max(64)
      .describe(
        "Patterns of the host's device nodes, or of links to them; an earlier one is preferred where two find the same device.",
      ),
    count: z.int().min(1).max(10_000).default(1).describe('How many containers may have each device at a time.'),
    permissions: z
      .string()
      .regex(/^(?!.*(.).*\1)[rwm]{1,3}$/, 'must be one or more of r, w and m, each once')
      .meta({ title: 'letters of `rwm`' })
      .default('rw')
      .describe('What the container may do: `r` (read), `w` (write), `m` (make the node itself).'),
    containerPath: containerPath
      .optional()
      .describe(
        'Where the node appears in the container: a path, or a folder ending in `/`. Without it: the path on the host.',
      ),
  })
  .superRefine(({ paths, containerPath: target }, context) => {
    const single = paths.length === 1 && !/[*?[]/.test(paths[0] ?? '');
    if (target !== undefined && !target.endsWith('/') && !single)
      context.addIssue({
        code: 'custom',
        path: ['containerPath'],
        message: 'must end in "/" (a folder) where the paths can name more than one device',
      });
  });

export const devicesSection = z
  .strictObject({
    devRoot: z
      .string()
      .regex(/^(\/[A-Za-z0-9._+@-]+)+$/, 'must be an absolute path without a slash at its end')
      .meta({ title: 'absolute path' })
      .default('/dev')
      .describe("Where the agent sees the host's `/dev`. What containers get is always the host's own path."),
    resources: z.array(resource).min(1).max(256).describe('The resources this node offers.'),
  })
  .superRefine(({ resources }, context) => {
    const seen = new Map<string, string>();
    resources.forEach(({ name }, index) => {
      const earlier = seen.get(environmentPart(name));
      seen.set(environmentPart(name), name);
      if (earlier === undefined) return;
      const message =
        earlier === name
          ? `"${name}" is there twice; put all paths into one resource`
          : `"${name}" and "${earlier}" give the same environment variables; rename one`;
      context.addIssue({ code: 'custom', path: ['resources', index, 'name'], message });
    });
  });

export type DevicesConfig = z.output<typeof devicesSection>;
export type ResourceConfig = DevicesConfig['resources'][number];
