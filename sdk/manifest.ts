/** gantry-plugin.json: what a plugin is, before any of its code runs. */
import { type Static, Type } from 'typebox';
import { driverKinds } from './plugin.ts';

const words = (pattern: string) => Type.String({ pattern, maxLength: 128 });

export const ManifestSchema = Type.Object(
  {
    manifestVersion: Type.Literal(1),
    name: words('^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$'),
    version: words('^\\d+\\.\\d+\\.\\d+'),
    description: Type.Optional(Type.String({ maxLength: 400 })),
    provides: Type.Array(
      Type.Object(
        {
          contract: Type.Enum(driverKinds),
          versions: Type.Array(Type.String(), { minItems: 1 }),
          drivers: Type.Array(words('^[a-z0-9][a-z0-9_.-]*$'), { minItems: 1 }),
          features: Type.Optional(Type.Array(Type.String())),
        },
        { additionalProperties: false },
      ),
      { minItems: 1 },
    ),
    entry: Type.Object(
      { node: Type.Optional(Type.String()), exec: Type.Optional(Type.Array(Type.String())) },
      { additionalProperties: false },
    ),
    placement: Type.Optional(Type.Array(Type.Enum(['in-process', 'worker', 'process'] as const))),
    settings: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    privileges: Type.Optional(
      Type.Object(
        {
          mountTypes: Type.Optional(Type.Array(Type.String())),
          hostPaths: Type.Optional(Type.Array(Type.String())),
          devices: Type.Optional(Type.Array(Type.String())),
          capabilities: Type.Optional(Type.Array(Type.String())),
          nftables: Type.Optional(Type.Boolean()),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

export type Manifest = Static<typeof ManifestSchema>;
