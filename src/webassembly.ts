/** Memory of WebAssembly. */
export interface WebAssemblyMemory<Bytes extends ArrayBufferLike = ArrayBufferLike> {
  readonly buffer: Bytes;
}

/** What of WebAssembly is used here; TypeScript declares it in the DOM's library only. */
interface UsedOfWebAssembly {
  validate(code: Uint8Array): boolean;
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object, imports?: object) => { exports: unknown };
  /** Sizes in pages of 64 KiB. */
  Memory: {
    new (size: { initial: number; maximum: number; shared: true }): WebAssemblyMemory<SharedArrayBuffer>;
    new (size: { initial: number }): WebAssemblyMemory<ArrayBuffer>;
  };
}

export const { WebAssembly } = globalThis as unknown as { WebAssembly: UsedOfWebAssembly };
