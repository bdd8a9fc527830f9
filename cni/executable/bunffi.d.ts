/** The few functions of Bun's `bun:ffi` that the executable uses, as Bun's documentation has them. */
declare module 'bun:ffi' {
  type Type = 'int' | 'ptr' | 'usize' | 'void';
  interface Signature {
    readonly args: readonly Type[];
    readonly returns: Type;
  }
  export function dlopen<Name extends string>(
    library: string,
    symbols: Readonly<Record<Name, Signature>>,
  ): { readonly symbols: Readonly<Record<Name, (...args: readonly (number | Uint8Array)[]) => number>> };
  export const read: { i32(pointer: number): number };
}
