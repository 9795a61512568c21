-- Until now a replay that a gate had begun was written down as paused while it stood still, as one that a person paused.
UPDATE "replays" SET "state" = 'planned' WHERE "for_gate" AND "state" = 'paused';
