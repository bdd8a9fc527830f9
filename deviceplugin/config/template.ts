/** Texts with `{{variables}}` that are filled in per device. What a device says of itself never gets beyond harmless characters. */

export const templateVariables = ['id', 'index', 'name', 'path', 'resource', 'role'] as const;
export type TemplateValues = Readonly<Record<(typeof templateVariables)[number], string>>;

const variable = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** What is wrong with a template, or undefined. */
export function problemOfTemplate(text: string): string | undefined {
  if (/[\u0000-\u001f\u007f]/.test(text)) return 'must not contain control characters';
  for (const [, name = ''] of text.matchAll(variable))
    if (!templateVariables.some((known) => known === name))
      return `has the unknown variable {{${name}}}; known are ${templateVariables.map((known) => `{{${known}}}`).join(', ')}`;
  if (/\{\{|\}\}/.test(text.replace(variable, ''))) return 'has "{{" without its "}}", or the reverse';
  return undefined;
}

export function uses(text: string, name: (typeof templateVariables)[number]): boolean {
  return [...text.matchAll(variable)].some(([, used]) => used === name);
}

/** Fills a template in. Values come from devices in part: whatever is not `[A-Za-z0-9._:+@/-]` in them becomes `_`. */
export function fillIn(text: string, values: TemplateValues): string {
  return text.replace(
    variable,
    (_whole, name: string) =>
      (values as Readonly<Record<string, string>>)[name]?.replace(/[^A-Za-z0-9._:+@/-]/g, '_') ?? '',
  );
}
