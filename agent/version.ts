/** Which Berth this is. The number stands once, in package.json; the bundle carries it inside. */
import manifest from '../package.json' with { type: 'json' };

export const version: string = manifest.version;
