# The package on a CPU, as anybody but root (written, not built: no Docker daemon was at hand).
#   docker build -t orcamath . && docker run --rm -v "$PWD/here:/home/orca" orcamath run classroom
FROM python:3.11-slim

RUN useradd --create-home orca
COPY . /src
# torch first and by its exact version. PyPI's build for Linux may bring CUDA: name PyTorch's index of CPU builds as TORCH_INDEX.
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep '^torch==' /src/constraints.txt)" \
 && pip install --no-cache-dir -c /src/constraints.txt '/src[student]' \
 && rm -rf /src
USER orca
WORKDIR /home/orca
ENV OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_DISABLE_TELEMETRY=1
ENTRYPOINT ["orcamath"]
CMD ["--help"]
