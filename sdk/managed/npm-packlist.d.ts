/** As much of it as is used. */
declare module 'npm-packlist' {
  interface Folder {
    readonly path: string;
    readonly package: { readonly files?: readonly string[]; readonly main?: string; readonly bin?: Readonly<Record<string, string>> };
    readonly isProjectRoot: true;
    readonly edgesOut: ReadonlyMap<string, unknown>;
  }
  export default function packlist(folder: Folder): Promise<string[]>;
}
