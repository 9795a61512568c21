import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter, Route, Routes } from "react-router";
import { ApiProblem } from "./api";
import { AlertsPage } from "./pages/alerts";
import { CandidatePage } from "./pages/candidate";
import { ComparisonPage } from "./pages/comparison";
import { DeploymentPage } from "./pages/deployment";
import { ErasuresPage } from "./pages/erasures";
import { GatePage } from "./pages/gate";
import { GatesPage } from "./pages/gates";
import { LedgerPage } from "./pages/ledger";
import { NotFoundPage } from "./pages/not-found";
import { OverviewPage } from "./pages/overview";
import { ReplayDetailPage } from "./pages/replay";
import { ReplaysPage } from "./pages/replays";
import { SelectionsPage } from "./pages/selections";
import { Frame } from "./parts/frame";
import "./style.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // On loopback the control plane answers even when the browser thinks that it is offline.
      networkMode: "always",
      retry: (failures, error) => failures < 1 && error instanceof ApiProblem && error.status >= 500,
    },
  },
});

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <BrowserRouter>
        <Frame>
          <Routes>
            <Route path="/" element={<OverviewPage />} />
            <Route path="/deployments/:deployment/candidates/:candidate" element={<CandidatePage />} />
            <Route path="/deployments/:deployment" element={<DeploymentPage />} />
            <Route path="/deployments/:deployment/ledger" element={<LedgerPage />} />
            <Route path="/comparisons/:id" element={<ComparisonPage />} />
            <Route path="/gates" element={<GatesPage />} />
            <Route path="/gates/:gate" element={<GatePage />} />
            <Route path="/erasures" element={<ErasuresPage />} />
            <Route path="/replays" element={<ReplaysPage />} />
            <Route path="/replays/:replay" element={<ReplayDetailPage />} />
            <Route path="/selections" element={<SelectionsPage />} />
            <Route path="/alerts" element={<AlertsPage />} />
            <Route path="*" element={<NotFoundPage />} />
          </Routes>
        </Frame>
      </BrowserRouter>
    </QueryClientProvider>
  </StrictMode>,
);
