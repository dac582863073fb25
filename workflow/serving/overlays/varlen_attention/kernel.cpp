// Causal attention over sequences that lie one behind the other: softmax(q k^T) v of each by itself, float32 on the CPU.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace {

float dot(const float* one, const float* other, int64_t width) {
  float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
  for (int64_t at = 0; at < width; ++at) sum += one[at] * other[at];
  return sum;
}

// query (1, heads, tokens, dim); key and value (1, groups, tokens, dim); ends: sums of lengths, 0 first. Gives (1, tokens, heads, dim).
at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const at::Tensor& query_ends,
                  const at::Tensor& key_ends, double scale) {
  TORCH_CHECK(query.scalar_type() == at::kFloat && query.device().is_cpu() && query.dim() == 4, "attend: float32 on the CPU");
  TORCH_CHECK(query.size(0) == 1 && key.size(0) == 1 && query.size(3) == key.size(3), "attend: shapes do not fit");
  const at::Tensor q = query.squeeze(0).transpose(0, 1).contiguous();
  const at::Tensor k = key.squeeze(0).transpose(0, 1).contiguous();
  const at::Tensor v = value.squeeze(0).transpose(0, 1).contiguous();
  const at::Tensor qe = query_ends.to(at::kInt).contiguous(), ke = key_ends.to(at::kInt).contiguous();
  const int64_t tokens = q.size(0), heads = q.size(1), width = q.size(2), groups = k.size(1), each = heads / groups;
  TORCH_CHECK(qe.numel() == ke.numel() && heads % groups == 0, "attend: lengths do not fit");
  at::Tensor out = at::zeros({1, tokens, heads, width}, q.options());
  const int *q_end = qe.const_data_ptr<int>(), *k_end = ke.const_data_ptr<int>();
  const float *qp = q.const_data_ptr<float>(), *kp = k.const_data_ptr<float>(), *vp = v.const_data_ptr<float>();
  float* to = out.data_ptr<float>();
  std::vector<float> weight;
  for (int64_t one = 0; one + 1 < qe.numel(); ++one) {
    const int64_t first = q_end[one], last = q_end[one + 1], from = k_end[one], until = k_end[one + 1];
    const int64_t past = (until - from) - (last - first);
    TORCH_CHECK(past >= 0 && last <= tokens && until <= k.size(0), "attend: lengths do not fit");
    for (int64_t token = first; token < last; ++token) {
      const int64_t seen = past + (token - first) + 1;
      weight.resize(seen);
      for (int64_t head = 0; head < heads; ++head) {
        const int64_t group = head / each;
        const float* mine = qp + (token * heads + head) * width;
        float most = -INFINITY, sum = 0.0f;
        for (int64_t at = 0; at < seen; ++at) {
          weight[at] = static_cast<float>(scale) * dot(mine, kp + ((from + at) * groups + group) * width, width);
          most = std::max(most, weight[at]);
        }
        for (int64_t at = 0; at < seen; ++at) {
          weight[at] = std::exp(weight[at] - most);
          sum += weight[at];
        }
        float* row = to + (token * heads + head) * width;
        for (int64_t at = 0; at < seen; ++at) {
          const float share = weight[at] / sum;
          const float* other = vp + ((from + at) * groups + group) * width;
#pragma omp simd
          for (int64_t place = 0; place < width; ++place) row[place] += share * other[place];
        }
      }
    }
  }
  return out;
}

}  // namespace

TORCH_LIBRARY(countersign_varlen, library) {
  library.def("attend(Tensor query, Tensor key, Tensor value, Tensor query_ends, Tensor key_ends, float scale) -> Tensor");
}
TORCH_LIBRARY_IMPL(countersign_varlen, CPU, library) { library.impl("attend", attend); }
