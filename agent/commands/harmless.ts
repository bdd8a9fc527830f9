/** For a terminal: what a device says of itself, or somebody wrote into a name, must not steer it. */
export function harmless(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '?');
}
