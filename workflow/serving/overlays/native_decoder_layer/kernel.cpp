// One decoder layer of a packed batch without the steps in between: float32 on the CPU. The key-value cache stays the engine's.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

namespace {

float dot(const float* one, const float* other, int64_t width) {
  float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
  for (int64_t at = 0; at < width; ++at) sum += one[at] * other[at];
  return sum;
}

void check(const at::Tensor& item, int64_t dims, const char* name) {
  TORCH_CHECK(item.scalar_type() == at::kFloat && item.device().is_cpu() && item.dim() == dims && item.is_contiguous(), name,
              ": contiguous float32 on the CPU with ", dims, " dimensions wanted");
}

// x (tokens, width) over the root of its mean square, times weight (width).
at::Tensor normed(const at::Tensor& x, const at::Tensor& weight, double eps) {
  check(x, 2, "norm");
  check(weight, 1, "weight");
  const int64_t tokens = x.size(0), width = x.size(1);
  TORCH_CHECK(weight.size(0) == width, "norm: widths do not fit");
  at::Tensor out = at::empty_like(x);
  const float *from = x.const_data_ptr<float>(), *by = weight.const_data_ptr<float>();
  float* to = out.data_ptr<float>();
  for (int64_t row = 0; row < tokens; ++row, from += width, to += width) {
    const float scale = 1.0f / std::sqrt(dot(from, from, width) / width + static_cast<float>(eps));
#pragma omp simd
    for (int64_t at = 0; at < width; ++at) to[at] = by[at] * (from[at] * scale);
  }
  return out;
}

// One head turned by its angles: from (dim) into to (dim).
void turn(const float* from, const float* cosine, const float* sine, float* to, int64_t dim) {
  const int64_t half = dim / 2;
#pragma omp simd
  for (int64_t at = 0; at < half; ++at) {
    to[at] = from[at] * cosine[at] - from[at + half] * sine[at];
    to[at + half] = from[at + half] * cosine[at + half] + from[at] * sine[at + half];
  }
}

// hidden (tokens, width), packed projection ((heads + 2 groups) dim, width), angles (tokens, dim): query (tokens, heads, dim),
// key and value (tokens, groups, dim), query and key turned.
std::tuple<at::Tensor, at::Tensor, at::Tensor> before(const at::Tensor& hidden, const at::Tensor& norm, double eps,
                                                      const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& cosine,
                                                      const at::Tensor& sine, int64_t heads, int64_t groups) {
  check(cosine, 2, "cosine");
  check(sine, 2, "sine");
  const int64_t tokens = hidden.size(0), dim = cosine.size(1), all = (heads + 2 * groups) * dim;
  TORCH_CHECK(weight.size(0) == all && cosine.size(0) == tokens && sine.sizes() == cosine.sizes(), "before: shapes do not fit");
  const at::Tensor packed = at::addmm(bias, normed(hidden, norm, eps), weight.t());
  const at::Tensor query = at::empty({tokens, heads, dim}, hidden.options()), key = at::empty({tokens, groups, dim}, hidden.options());
  const at::Tensor value = at::empty({tokens, groups, dim}, hidden.options());
  const float *from = packed.const_data_ptr<float>(), *c = cosine.const_data_ptr<float>(), *s = sine.const_data_ptr<float>();
  float *q = query.data_ptr<float>(), *k = key.data_ptr<float>(), *v = value.data_ptr<float>();
  for (int64_t token = 0; token < tokens; ++token, c += dim, s += dim) {
    for (int64_t head = 0; head < heads; ++head, from += dim, q += dim) turn(from, c, s, q, dim);
    for (int64_t head = 0; head < groups; ++head, from += dim, k += dim) turn(from, c, s, k, dim);
    v = std::copy(from, from + groups * dim, v);
    from += groups * dim;
  }
  return {query, key, value};
}

// softmax(q k^T) v of each sequence by itself. query (tokens, heads, dim); key, value (held, groups, dim); ends: sums of lengths.
at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const at::Tensor& query_ends,
                  const at::Tensor& key_ends, double scale) {
  check(query, 3, "query");
  check(key, 3, "key");
  check(value, 3, "value");
  const at::Tensor qe = query_ends.to(at::kInt).contiguous(), ke = key_ends.to(at::kInt).contiguous();
  const int64_t tokens = query.size(0), heads = query.size(1), width = query.size(2), groups = key.size(1), each = heads / groups;
  TORCH_CHECK(qe.numel() == ke.numel() && heads % groups == 0 && key.sizes() == value.sizes() && key.size(2) == width,
              "attend: shapes do not fit");
  at::Tensor out = at::zeros({tokens, heads * width}, query.options());
  const int *q_end = qe.const_data_ptr<int>(), *k_end = ke.const_data_ptr<int>();
  const float *qp = query.const_data_ptr<float>(), *kp = key.const_data_ptr<float>(), *vp = value.const_data_ptr<float>();
  float* to = out.data_ptr<float>();
  std::vector<float> weight;
  for (int64_t one = 0; one + 1 < qe.numel(); ++one) {
    const int64_t first = q_end[one], last = q_end[one + 1], from = k_end[one], until = k_end[one + 1];
    const int64_t past = (until - from) - (last - first);
    TORCH_CHECK(first >= 0 && from >= 0 && first <= last && past >= 0 && last <= tokens && until <= key.size(0),
                "attend: lengths do not fit");
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
        for (int64_t at = 0; at < seen; ++at) sum += weight[at] = std::exp(weight[at] - most);
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

// What follows attention: attended (tokens, heads dim) and hidden (tokens, width) to the layer's output (tokens, width).
at::Tensor after(const at::Tensor& attended, const at::Tensor& hidden, const at::Tensor& output, const at::Tensor& norm, double eps,
                 const at::Tensor& gate_up, const at::Tensor& down) {
  const at::Tensor residual = at::addmm(hidden, attended, output.t());
  const at::Tensor both = at::mm(normed(residual, norm, eps), gate_up.t());
  const int64_t inner = both.size(1) / 2;
  return at::addmm(residual, at::silu(both.narrow(1, 0, inner)).mul_(both.narrow(1, inner, inner)), down.t());
}

}  // namespace

TORCH_LIBRARY(countersign_layer, library) {
  library.def(
      "before(Tensor hidden, Tensor norm, float eps, Tensor weight, Tensor bias, Tensor cosine, Tensor sine, int heads, int groups)"
      " -> (Tensor, Tensor, Tensor)");
  library.def("attend(Tensor query, Tensor key, Tensor value, Tensor query_ends, Tensor key_ends, float scale) -> Tensor");
  library.def("after(Tensor attended, Tensor hidden, Tensor output, Tensor norm, float eps, Tensor gate_up, Tensor down) -> Tensor");
}
TORCH_LIBRARY_IMPL(countersign_layer, CPU, library) {
  library.impl("before", before);
  library.impl("attend", attend);
  library.impl("after", after);
}
