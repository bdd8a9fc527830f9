/** Texts of lines `KEY=value`: `uevent` files of sysfs, and entries of the udev database after their `E:`. */

export function parseProperties(lines: readonly string[]): Readonly<Record<string, string>> {
  // fromEntries makes own properties, whatever their names.
  return Object.fromEntries(
    lines.flatMap((line): [string, string][] => {
      const equals = line.indexOf('=');
      return equals <= 0 ? [] : [[line.slice(0, equals), line.slice(equals + 1)]];
    }),
  );
}
