import { Link } from "react-router";
import { PageHead } from "../parts/page";

export function NotFoundPage() {
  return (
    <>
      <PageHead title="There is no such page" />
      <p>
        <Link to="/">To the overview</Link>
      </p>
    </>
  );
}
