-- The few captures that carry a tag are found without looking at all others.

CREATE INDEX "captures_tags_idx" ON "captures" USING GIN ("tags" jsonb_path_ops);
