/** Takes secrets out of text and objects before they go into an archive: by the names of keys and by what secrets look like. Pure. */

const gone = '<redacted>';

/** Names whose values are secret. Names of secrets (`secretName`) and paths of them are not. */
const secretName =
  /(^|[^a-z])(\w*(password|passwd|passphrase|token|secret|credentials?|authorization|cookie)|[\w-]*(api|access|private|secret|client|encryption)[-_.]?key(-data)?|client-certificate-data|bearer|auth)$/i;

/** What is no secret though it stands beside such a name. */
const plain = /^(true|false|null|none|yes|no|\d{1,6}[smhd]?|<redacted>|<none>)$/i;

export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/** A value as JSON has it, without secrets, and without what only makes it long. */
export function redactValue(value: unknown, name = ''): unknown {
  if (typeof value === 'string') return isSecretName(name) && !plain.test(value) ? gone : redactText(value);
  if (Array.isArray(value)) return value.map((each) => redactValue(each, name));
  if (typeof value !== 'object' || value === null) return value;
  // An environment variable has its name beside its value.
  const own = 'name' in value && typeof value.name === 'string' ? value.name : '';
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'managedFields' && key !== 'kubectl.kubernetes.io/last-applied-configuration')
      .map(([key, each]) => [redactText(key), redactValue(each, key === 'value' && own !== '' ? own : key)]),
  );
}

/** Lines of a log, of which those that are JSON, also after a time, are taken as objects. */
export function redactLines(text: string): string {
  const lines = text.split('\n').map((line) => {
    const start = /^(?:\S{1,40} )?(?=\{)/.exec(line)?.[0].length;
    return start === undefined ? line : `${line.slice(0, start)}${redactedJson(line.slice(start))}`;
  });
  // A key has many lines.
  return redactText(lines.join('\n'));
}

/** As it is, when it is no JSON. */
function redactedJson(line: string): string {
  try {
    return JSON.stringify(redactValue(JSON.parse(line) as unknown));
  } catch {
    return line;
  }
}

/** Free text: what looks like a secret, and what follows a name of one. */
export function redactText(text: string): string {
  return patterns.reduce((rest, [pattern, instead]) => rest.replace(pattern, instead), text);
}

const words =
  'password|passwd|passphrase|token|secret|credentials?|client-key-data|client-certificate-data|(?:api|access|private|secret|client|encryption)[-_.]?key';

/** Whose value it is: `"token": `, `token=`, and the same inside a text that is JSON itself. */
const named = `((?:${words})\\\\{0,8}["']?\\s{0,8}[:=]\\s{0,8})`;

/** Every repetition has an end, so that no text makes one of them slow. */
const patterns: readonly (readonly [RegExp, string])[] = [
  // Also one whose end was cut off.
  [
    /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:[\s\S]{0,16384}?-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|(?:\\[rn]|[\s"A-Za-z0-9+/=]){0,16384})/g,
    gone,
  ],
  // The same encoded once more, as kubeconfigs have it: "-----BEGIN ".
  [/LS0tLS1CRUdJTi[A-Za-z0-9+/=]{16,}/g, gone],
  [/\beyJ[\w-]{6,4096}\.[\w-]{6,16384}(?:\.[\w-]{0,4096})?/g, gone],
  [
    /\b(authorization\\{0,8}["']?\s{0,8}[:=]\s{0,8}\\{0,8}["']?(?:bearer|basic|digest|negotiate)?\s{0,8})[^\s"',}]+/gi,
    `$1${gone}`,
  ],
  [/\b((?:bearer|basic)\s{1,8})[A-Za-z0-9+/=._~-]{12,}/gi, `$1${gone}`],
  [/(\w:\/\/)[^\s/@"']{1,1024}@/g, `$1${gone}@`],
  [/\b(AKIA|ASIA)[0-9A-Z]{16}\b/g, gone],
  [/\b(gh[pousr]_|glpat-|xox[abprs]-|sk-)[A-Za-z0-9_-]{16,512}/g, gone],
  // `password: "x"`, `"token":"x"`.
  [new RegExp(`${named}(\\\\{0,8}["'])((?:(?!\\2)[^\\n]){1,8192})(\\2)`, 'gi'), `$1$2${gone}$4`],
  // `password: x`, `--token=x`, `DB_PASSWORD=x`.
  [
    new RegExp(
      `${named}(?!["'\\\\]|(?:true|false|null|none|\\d{1,6}[smhd]?|<redacted>)(?:[\\s,;}\\]"]|$))[^\\s,}\\]"\\\\]+`,
      'gim',
    ),
    `$1${gone}`,
  ],
  [new RegExp(`(--[\\w-]{0,40}(?:${words})\\s{1,8})(?!-)\\S+`, 'gi'), `$1${gone}`],
];
