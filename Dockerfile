# The package on a CPU, as anybody but root:   docker build -t orcamath . && docker run --rm -v "$PWD/work:/home/orca" orcamath run classroom
FROM python:3.11-slim

RUN useradd --create-home orca
COPY . /src
# torch first and by its exact version, from PyTorch's CPU builds: PyPI's may bring CUDA. Give another index as TORCH_INDEX.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir --find-links "$TORCH_INDEX/torch/" "$(grep '^torch==' /src/constraints.txt)" \
 && pip install --no-cache-dir -c /src/constraints.txt '/src[student]' \
 && rm -rf /src
USER orca
WORKDIR /home/orca
ENV OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_DISABLE_TELEMETRY=1
ENTRYPOINT ["orcamath"]
CMD ["--help"]
