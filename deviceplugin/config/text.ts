/** Kinds of texts in the `devices` section: patterns, numbers in hexadecimal, paths, templates. */
import { z } from 'zod';
import { parseGlob } from './pathglob.ts';
import { problemOfTemplate } from './template.ts';
import { brokenSet, parseWildcards } from './wildcards.ts';

/** A pattern for a whole text: `*` any characters (also `/`), `?` one, `[a-c]` one of a set. */
export const pattern = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'must not contain control characters')
  .refine((text) => parseWildcards(text) !== undefined, brokenSet)
  .meta({ title: 'pattern' });

export const pathGlob = z
  .string()
  .superRefine((text, context) => {
    const glob = parseGlob(text);
    if (typeof glob === 'string') context.addIssue({ code: 'custom', message: glob });
  })
  .meta({ title: 'path pattern' });

/** A path below /dev without wildcards. */
export const devicePath = z
  .string()
  .regex(/^\/dev(\/[A-Za-z0-9._:+@-]+)+$/, 'must be a path below /dev')
  .refine(noClimbing, 'must not contain "." or ".."')
  .meta({ title: 'path below /dev' });

export const absolutePath = z
  .string()
  .regex(/^(\/[A-Za-z0-9._+@-]+)+$/, 'must be an absolute path without a slash at its end')
  .refine(noClimbing, 'must not contain "." or ".."')
  .meta({ title: 'absolute path' });

export function noClimbing(path: string): boolean {
  return !path.split('/').some((part) => part === '.' || part === '..');
}

/** A number of `digits` hexadecimal digits as sysfs writes it, in small letters; without `0x`. */
export function hexadecimal(digits: number): z.ZodType<string, string> {
  return z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${digits}}$`), `must be ${digits} hexadecimal digits in small letters, in quotes`)
    .meta({ title: `${digits} hexadecimal digits` });
}

export const template = z
  .string()
  .max(1_024)
  .superRefine((text, context) => {
    const problem = problemOfTemplate(text);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({ title: 'template' });
