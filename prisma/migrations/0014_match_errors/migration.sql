-- Matches by their largest error, from the top: in the order of all rows, every mismatch comes first.

-- CreateIndex
CREATE INDEX "outcomes_match_error_idx" ON "outcomes"("run_id", "max_abs", "capture_id") WHERE "result" = 'match';
