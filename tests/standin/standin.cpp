// A stand-in for CUDA in a build of torch that has none: tensors of a device `cuda:0` that lie in this machine's memory
// and are computed by the CPU's kernels.
//
// Imitated: tensors and storages of cuda:0, memory and its counters, pinned memory, generators of its own, and the
// rules about which devices may meet. Everything above the kernels (autograd, autocast, Python) takes its road for
// CUDA.
//
// Not imitated: streams, events and work that goes on after a call has returned, so no error comes late and no GPU is
// lost by one; CUDA's own numbers (TF32, orders of summation, random sequences), libraries (cuDNN, cuBLAS) and most of
// its messages; a second GPU; sparse and quantised tensors.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/TensorFactories.h>
#include <c10/core/Allocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

using namespace c10;

static const Device GPU(kCUDA, 0);

// ---------------------------------------------------------------------------------------------------- memory

// What torch.cuda's counters say. As CUDA's allocator does, memory is counted in blocks of 512 bytes and taken from the
// driver in segments of 2 MiB, which stay reserved until `empty_cache`.
class Counters {
 public:
  void add(int64_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    change(in_blocks(bytes));
  }
  void remove(int64_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    change(-in_blocks(bytes));
  }
  int64_t allocated() { return read(allocated_); }
  int64_t most_allocated() { return read(most_allocated_); }
  int64_t reserved() { return read(reserved_); }
  void reset_most() {
    std::lock_guard<std::mutex> lock(mutex_);
    most_allocated_ = allocated_;
  }
  void empty_cache() {
    std::lock_guard<std::mutex> lock(mutex_);
    reserved_ = rounded_up(allocated_, SEGMENT);
  }

 private:
  static constexpr int64_t BLOCK = 512, SEGMENT = 2 << 20;

  static int64_t rounded_up(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }
  static int64_t in_blocks(int64_t bytes) { return rounded_up(bytes, BLOCK); }

  void change(int64_t bytes) {
    allocated_ += bytes;
    most_allocated_ = std::max(most_allocated_, allocated_);
    reserved_ = std::max(reserved_, rounded_up(allocated_, SEGMENT));
  }
  int64_t read(const int64_t& counter) {
    std::lock_guard<std::mutex> lock(mutex_);
    return counter;
  }

  std::mutex mutex_;
  int64_t allocated_ = 0, most_allocated_ = 0, reserved_ = 0;
};

static Counters& counters = *new Counters;  // never destroyed: the last tensors may outlive everything else

// Where blocks of memory begin and how long they are.
class Blocks {
 public:
  void add(void* begin, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    blocks_[static_cast<char*>(begin)] = bytes;
  }
  size_t remove(void* begin) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = blocks_.find(static_cast<char*>(begin));
    size_t bytes = found->second;
    blocks_.erase(found);
    return bytes;
  }
  bool contains(const void* address) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto next = blocks_.upper_bound(static_cast<char*>(const_cast<void*>(address)));
    if (next == blocks_.begin()) return false;
    auto [begin, bytes] = *std::prev(next);
    return static_cast<const char*>(address) < begin + bytes;
  }

 private:
  std::mutex mutex_;
  std::map<char*, size_t> blocks_;
};

static Blocks &of_the_gpu = *new Blocks, &pinned = *new Blocks;

struct GpuAllocator final : Allocator {
  DataPtr allocate(size_t bytes) override {
    void* begin = nullptr;
    if (bytes == 0) return {nullptr, nullptr, &free_block, GPU};
    TORCH_CHECK_WITH(OutOfMemoryError, posix_memalign(&begin, 512, bytes) == 0,
                     "CUDA out of memory. Tried to allocate ", bytes, " bytes from the stand-in.");
    of_the_gpu.add(begin, bytes);
    counters.add(bytes);
    return {begin, begin, &free_block, GPU};
  }
  static void free_block(void* begin) {
    if (begin == nullptr) return;
    counters.remove(of_the_gpu.remove(begin));
    free(begin);
  }
  DeleterFnPtr raw_deleter() const override { return &free_block; }
  void copy_data(void* to, const void* from, size_t bytes) const override { memcpy(to, from, bytes); }
};

struct PinningAllocator final : Allocator {
  DataPtr allocate(size_t bytes) override {
    void* begin = nullptr;
    size_t taken = std::max<size_t>(bytes, 1);
    TORCH_CHECK(posix_memalign(&begin, 64, taken) == 0, "cannot pin ", bytes, " bytes");
    pinned.add(begin, taken);
    return {begin, begin, &free_block, Device(kCPU)};
  }
  static void free_block(void* begin) {
    pinned.remove(begin);
    free(begin);
  }
  DeleterFnPtr raw_deleter() const override { return &free_block; }
  void copy_data(void* to, const void* from, size_t bytes) const override { memcpy(to, from, bytes); }
};

static GpuAllocator gpu_allocator;
static PinningAllocator pinning_allocator;

static const bool allocator_is_set = (SetAllocator(kCUDA, &gpu_allocator), true);

// ---------------------------------------------------------------------------------------------------- generators

// A generator of cuda: one of the CPU, whose numbers it draws, behind a seed and a state of its own.
struct GpuGenerator final : GeneratorImpl {
  explicit GpuGenerator(at::Generator numbers)
      : GeneratorImpl(GPU, DispatchKeySet(DispatchKey::CUDA)), numbers(std::move(numbers)) {}

  void set_current_seed(uint64_t seed) override {
    numbers.set_current_seed(seed ^ 0x5bd1e995);  // one seed gives other numbers on a GPU than on the CPU
    seed_ = seed;
  }
  uint64_t current_seed() const override { return seed_; }
  uint64_t seed() override { return seed_ = numbers.seed(); }
  void set_offset(uint64_t) override {}
  uint64_t get_offset() const override { return 0; }

  // The state: eight bytes of seed, then that of the numbers.
  void set_state(const TensorImpl& state) override {
    auto bytes = at::Tensor(intrusive_ptr<TensorImpl>::unsafe_reclaim_from_nonowning(const_cast<TensorImpl*>(&state)));
    numbers.set_state(bytes.slice(0, sizeof seed_).clone());
    memcpy(&seed_, bytes.data_ptr(), sizeof seed_);
  }
  intrusive_ptr<TensorImpl> get_state() const override {
    auto seed = at::empty({sizeof seed_}, at::kByte);
    memcpy(seed.data_ptr(), &seed_, sizeof seed_);
    return at::cat({seed, numbers.get_state()}).getIntrusivePtr();
  }
  GpuGenerator* clone_impl() const override {
    auto* copy = new GpuGenerator(numbers.clone());
    copy->seed_ = seed_;
    return copy;
  }

  at::Generator numbers;

 private:
  uint64_t seed_ = default_rng_seed_val;
};

static at::Generator new_generator() { return at::make_generator<GpuGenerator>(at::detail::createCPUGenerator()); }

static at::Generator default_generator = new_generator();

static at::Generator& numbers_of(const at::Generator& generator) {
  return static_cast<GpuGenerator*>(generator.unsafeGetGeneratorImpl())->numbers;
}

// ---------------------------------------------------------------------------------------------------- the device

struct Guard final : impl::DeviceGuardImplInterface {
  DeviceType type() const override { return kCUDA; }
  Device exchangeDevice(Device) const override { return GPU; }
  Device getDevice() const override { return GPU; }
  void setDevice(Device) const override {}
  void uncheckedSetDevice(Device) const noexcept override {}
  DeviceIndex deviceCount() const noexcept override { return 1; }
  // There is one stream, and what it was given is done.
  Stream getStream(Device) const override { return Stream(Stream::DEFAULT, GPU); }
  Stream getDefaultStream(Device) const override { return Stream(Stream::DEFAULT, GPU); }
  Stream exchangeStream(Stream) const override { return Stream(Stream::DEFAULT, GPU); }
  bool queryStream(const Stream&) const override { return true; }
  void synchronizeStream(const Stream&) const override {}
  void synchronizeDevice(DeviceIndex) const override {}
  // Autograd records and waits where it goes from one device to another.
  void record(void**, const Stream&, DeviceIndex, EventFlag) const override {}
  void block(void*, const Stream&) const override {}
};
C10_REGISTER_GUARD_IMPL(CUDA, Guard)

// What torch asks a build with CUDA. The name is that by which torch looks for it.
struct CUDAHooks final : at::CUDAHooksInterface {
  explicit CUDAHooks(at::CUDAHooksArgs) {}
  void init() const override {}
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasCUDA() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  int getNumGPUs() const override { return 1; }
  DeviceIndex deviceCount() const override { return 1; }
  DeviceIndex current_device() const override { return 0; }
  DeviceIndex getCurrentDevice() const override { return 0; }
  void deviceSynchronize(DeviceIndex) const override {}
  Device getDeviceFromPtr(void*) const override { return GPU; }
  at::Allocator* getCUDADeviceAllocator() const override { return &gpu_allocator; }
  at::Allocator* getPinnedMemoryAllocator() const override { return &pinning_allocator; }
  bool isPinnedPtr(const void* address) const override { return pinned.contains(address); }
  const at::Generator& getDefaultGenerator(DeviceIndex) const override { return default_generator; }
  at::Generator getNewGenerator(DeviceIndex) const override { return new_generator(); }
  std::string showConfig() const override { return "  - CUDA Runtime 13.0 (a stand-in)\n"; }
};
namespace at {
using ::CUDAHooks;
REGISTER_CUDA_HOOKS(CUDAHooks)
}  // namespace at

// ---------------------------------------------------------------------------------------------------- borrowing

// Memory that a CPU kernel made and that now counts as the GPU's.
struct Taken {
  explicit Taken(at::Tensor tensor) : tensor(std::move(tensor)), bytes(this->tensor.storage().nbytes()) {
    counters.add(bytes);
  }
  ~Taken() { counters.remove(bytes); }

  static DataPtr pointer(const at::Tensor& tensor) {
    return {tensor.storage().mutable_data(), new Taken(tensor), [](void* it) { delete static_cast<Taken*>(it); }, GPU};
  }

  at::Tensor tensor;
  int64_t bytes;
};

static void set_geometry(TensorImpl* to, const at::Tensor& from) {
  to->set_storage_offset(from.storage_offset());
  to->set_sizes_and_strides(from.sizes(), from.strides());
}

// One call of a CPU kernel with tensors of cuda. Each goes in as a tensor of the CPU over the same memory. What comes
// out is the tensor that went in, another view of its storage, or one of cuda over the kernel's own memory.
class Loan {
 public:
  at::Tensor lend(const at::Tensor& gpu) {
    for (auto& [lender, lent] : lent_)
      if (lender.is_same(gpu)) return lent;
    TORCH_CHECK_NOT_IMPLEMENTED(gpu.layout() == kStrided, "the stand-in for CUDA has no ", gpu.layout(), " tensors");
    auto* ours = gpu.storage().unsafeGetStorageImpl();
    auto& storage = cpu_storages_[ours];
    if (!storage) {
      DataPtr same(gpu.storage().mutable_data(), Device(kCPU));
      storage = Storage(Storage::use_byte_size_t(), ours->nbytes(), std::move(same), GetAllocator(kCPU), true);
      gpu_storages_[storage.unsafeGetStorageImpl()] = gpu.storage();
    }
    auto cpu = at::detail::make_tensor<TensorImpl>(Storage(storage), DispatchKeySet(DispatchKey::CPU), gpu.dtype());
    set_geometry(cpu.unsafeGetTensorImpl(), gpu);
    set_bits(cpu, gpu);
    if (gpu.unsafeGetTensorImpl()->is_wrapped_number()) cpu.unsafeGetTensorImpl()->set_wrapped_number(true);
    lent_.emplace_back(gpu, cpu);
    return cpu;
  }

  at::Tensor take_back(const at::Tensor& cpu) {
    if (!cpu.defined() || !cpu.is_cpu()) return cpu;
    for (auto& [lender, lent] : lent_)
      if (lent.is_same(cpu)) return lender;
    if (cpu._is_zerotensor()) return at::zeros(cpu.sizes(), cpu.options().device(GPU));
    TORCH_CHECK_NOT_IMPLEMENTED(cpu.layout() == kStrided, "the stand-in for CUDA has no ", cpu.layout(), " tensors");
    auto* theirs = cpu.storage().unsafeGetStorageImpl();
    auto& storage = gpu_storages_[theirs];
    if (!storage)
      storage = Storage(Storage::use_byte_size_t(), theirs->nbytes(), Taken::pointer(cpu), &gpu_allocator, true);
    at::Tensor gpu;
    if (auto* lender = lender_of(storage)) {
      auto keys = lender->key_set() - DispatchKeySet({DispatchKey::Conjugate, DispatchKey::Negative,
                                                      DispatchKey::Python, DispatchKey::PythonTLSSnapshot});
      gpu = at::detail::make_tensor<TensorImpl>(TensorImpl::VIEW, Storage(storage), keys, cpu.dtype());
    } else {
      gpu = at::detail::make_tensor<TensorImpl>(Storage(storage), DispatchKeySet(DispatchKey::CUDA), cpu.dtype());
    }
    set_geometry(gpu.unsafeGetTensorImpl(), cpu);
    set_bits(gpu, cpu);
    return gpu;
  }

  // What the kernel resized or gave other memory, as it does with `out=`, has that in cuda too.
  void settle() {
    for (auto& [lender, lent] : lent_) {
      auto* ours = lender.storage().unsafeGetStorageImpl();
      auto* theirs = lent.storage().unsafeGetStorageImpl();
      if (ours->data_ptr().get() != theirs->data_ptr().get() || ours->nbytes() != theirs->nbytes()) {
        ours->set_data_ptr_noswap(Taken::pointer(lent.detach()));
        ours->set_nbytes(theirs->nbytes());
      }
      if (lender.sizes() != lent.sizes() || lender.strides() != lent.strides() ||
          lender.storage_offset() != lent.storage_offset())
        set_geometry(lender.unsafeGetTensorImpl(), lent);
    }
  }

 private:
  static void set_bits(at::Tensor& to, const at::Tensor& from) {
    if (from.is_conj()) to.unsafeGetTensorImpl()->_set_conj(true);
    if (from.is_neg()) to.unsafeGetTensorImpl()->_set_neg(true);
  }
  const at::Tensor* lender_of(const Storage& storage) const {
    for (auto& [lender, lent] : lent_)
      if (lender.storage().unsafeGetStorageImpl() == storage.unsafeGetStorageImpl()) return &lender;
    return nullptr;
  }

  std::vector<std::pair<at::Tensor, at::Tensor>> lent_;
  std::map<StorageImpl*, Storage> cpu_storages_, gpu_storages_;
};

// ---------------------------------------------------------------------------------------------------- rules of CUDA

using Arguments = ArrayRef<IValue>;

static std::vector<at::Tensor> tensors_of(const IValue& value) {
  std::vector<at::Tensor> found;
  if (value.isTensor())
    found.push_back(value.toTensor());
  else if (value.isTensorList())
    found = value.toTensorVector();
  else if (value.isOptionalTensorList())
    for (std::optional<at::Tensor> tensor : value.toOptionalTensorList())
      found.push_back(tensor.value_or(at::Tensor()));
  return found;
}

static void check_devices(const std::string& name, Arguments arguments) {
  bool cuda = false, cpu = false;
  for (auto& argument : arguments) {
    if (argument.isOptionalTensorList()) {  // indices, which may lie on the CPU
      for (auto& index : tensors_of(argument))
        TORCH_CHECK(!(index.defined() && index.is_cuda() && arguments[0].toTensor().is_cpu()),
                    "indices should be either on cpu or on the same device as the indexed tensor (cpu)");
      continue;
    }
    for (auto& tensor : tensors_of(argument)) {
      if (!tensor.defined()) continue;
      cuda |= tensor.is_cuda();
      cpu |= tensor.is_cpu() && tensor.dim() > 0;  // one number of the CPU goes with tensors of cuda
    }
  }
  TORCH_CHECK(!(cuda && cpu),
              "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! "
              "(when checking argument in method wrapper_CUDA_",
              name, ")");
}

static void check_convolution(const std::string& name, Arguments arguments) {
  if (name.find("slow_conv") == std::string::npos) return;
  auto input = arguments[0].toTensor(), weight = arguments[1].toTensor();
  TORCH_CHECK(input.device() == weight.device(), "Input type (", input.toString(), ") and weight type (",
              weight.toString(), ") should be the same");
}

static void check_generator(const at::Generator& generator, Arguments arguments) {
  for (auto& argument : arguments)
    for (auto& tensor : tensors_of(argument))
      TORCH_CHECK(tensor.device().type() == generator.device().type(), "Expected a '", tensor.device().type(),
                  "' device type for generator but found '", generator.device().type(), "'");
}

static void check_deterministic(const std::string& name, Arguments arguments) {
  if (name == "bincount" && !arguments[1].isNone()) at::globalContext().alertNotDeterministic("_bincount_cuda");
}

// ---------------------------------------------------------------------------------------------------- calls

// Draws that take no generator come from the CPU's default one: for a call, that is in the state of cuda's.
class DrawsFromTheGpu {
 public:
  explicit DrawsFromTheGpu(bool needed) : needed_(needed) {
    if (!needed_) return;
    saved_ = cpu_.get_state();
    cpu_.set_state(numbers_of(default_generator).get_state());
  }
  ~DrawsFromTheGpu() {
    if (!needed_) return;
    numbers_of(default_generator).set_state(cpu_.get_state());
    cpu_.set_state(saved_);
  }

 private:
  bool needed_;
  at::Generator cpu_ = at::detail::getDefaultCPUGenerator();
  at::Tensor saved_;
};

static IValue mapped(const IValue& value, const std::function<at::Tensor(const at::Tensor&)>& change) {
  if (value.isTensor()) return change(value.toTensor());
  if (value.isTensorList()) {
    List<at::Tensor> changed;
    for (auto& tensor : value.toTensorVector()) changed.push_back(change(tensor));
    return changed;
  }
  if (value.isOptionalTensorList()) {
    List<std::optional<at::Tensor>> changed;
    for (std::optional<at::Tensor> tensor : value.toOptionalTensorList())
      changed.push_back(tensor ? std::make_optional(change(*tensor)) : std::nullopt);
    return changed;
  }
  return value;
}

// Every operation that has no kernel of its own below.
static void on_the_cpu(const OperatorHandle& operation, DispatchKeySet, torch::jit::Stack* stack) {
  at::AutoDispatchBelowADInplaceOrView no_autograd;
  const auto& schema = operation.schema();
  const auto name = schema.name().substr(schema.name().find("::") + 2);
  const size_t count = schema.arguments().size(), first = stack->size() - count;
  const Arguments arguments(stack->data() + first, count);

  check_convolution(name, arguments);
  check_devices(name, arguments);
  check_deterministic(name, arguments);
  for (auto& argument : arguments)
    if (argument.isGenerator()) check_generator(argument.toGenerator(), arguments);

  Loan loan;
  auto lend = [&](const at::Tensor& tensor) {
    return tensor.defined() && tensor.is_cuda() ? loan.lend(tensor) : tensor;
  };
  for (size_t i = 0; i < count; i++) {
    auto& argument = (*stack)[first + i];
    if (argument.isDevice() && argument.toDevice().is_cuda())
      argument = Device(kCPU);
    else if (argument.isGenerator())
      argument = numbers_of(argument.toGenerator());
    else if (argument.isNone() && schema.arguments()[i].name() == "generator")
      argument = numbers_of(default_generator);
    else
      argument = mapped(argument, lend);
  }
  if ((name == "_softmax" || name == "_log_softmax") && (*stack)[first + 2].toBool()) {
    // Softmax from half precision to float32 in one step is CUDA's; the CPU takes two.
    (*stack)[first] = (*stack)[first].toTensor().to(at::kFloat);
    (*stack)[first + 2] = false;
  }
  {
    DrawsFromTheGpu draws(name == "native_dropout");
    operation.callBoxed(stack);
  }
  loan.settle();

  for (size_t i = stack->size() - schema.returns().size(); i < stack->size(); i++) {
    auto& result = (*stack)[i];
    if (result.isDevice() && result.toDevice().is_cpu())
      result = GPU;
    else
      result = mapped(result, [&](const at::Tensor& tensor) { return loan.take_back(tensor); });
  }
}

TORCH_LIBRARY_IMPL(_, CUDA, library) { library.fallback(torch::CppFunction::makeFromBoxedFunction<&on_the_cpu>()); }

static void check_ordinal(const std::optional<Device>& device) {
  TORCH_CHECK(!device || device->index() < 1, "CUDA error: invalid device ordinal");
}

static at::Tensor filled(at::Tensor empty) {
  auto& context = at::globalContext();
  if (context.deterministicAlgorithms() && context.deterministicFillUninitializedMemory())
    at::native::fill_empty_deterministic_(empty);
  return empty;
}

static ScalarType or_default(std::optional<ScalarType> dtype) {
  return dtype.value_or(typeMetaToScalarType(get_default_dtype()));
}

static at::Tensor empty(SymIntArrayRef size, std::optional<ScalarType> dtype, std::optional<Layout>,
                        std::optional<Device> device, std::optional<bool> pin, std::optional<MemoryFormat> format) {
  check_ordinal(device);
  TORCH_CHECK(!pin.value_or(false), "Only dense CPU tensors can be pinned");
  return filled(at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), &gpu_allocator,
                                          DispatchKeySet(DispatchKey::CUDA), or_default(dtype), format));
}

static at::Tensor empty_strided(SymIntArrayRef size, SymIntArrayRef stride, std::optional<ScalarType> dtype,
                                std::optional<Layout>, std::optional<Device> device, std::optional<bool>) {
  check_ordinal(device);
  return filled(at::detail::empty_strided_generic(C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride),
                                                  &gpu_allocator, DispatchKeySet(DispatchKey::CUDA),
                                                  or_default(dtype)));
}

// The one operation in which devices meet.
static at::Tensor& copy_(at::Tensor& to, const at::Tensor& from, bool) {
  at::AutoDispatchBelowADInplaceOrView no_autograd;
  TORCH_CHECK(!from.is_meta(), "Cannot copy out of meta tensor; no data!");
  Loan loan;
  auto lend = [&](const at::Tensor& tensor) { return tensor.is_cuda() ? loan.lend(tensor) : tensor; };
  lend(to).copy_(lend(from));
  return to;
}

static const at::Tensor& resize_(const at::Tensor& self, SymIntArrayRef size, std::optional<MemoryFormat> format) {
  at::AutoDispatchBelowADInplaceOrView no_autograd;
  Loan loan;
  loan.lend(self).resize_(C10_AS_INTARRAYREF_SLOW(size), format);
  loan.settle();
  return self;
}

static at::Tensor& set_storage_and_geometry(at::Tensor& self, Storage storage, SymInt offset, SymIntArrayRef size,
                                            SymIntArrayRef stride) {
  auto* it = self.unsafeGetTensorImpl();
  it->set_storage_keep_dtype(std::move(storage));
  it->set_storage_offset(offset.expect_int());
  if (stride.size() == size.size())
    it->set_sizes_and_strides(C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride));
  else
    it->set_sizes_contiguous(C10_AS_INTARRAYREF_SLOW(size));
  return self;
}

static at::Tensor& set_storage(at::Tensor& self, Storage storage) {
  SymInt size = static_cast<int64_t>(storage.nbytes() / self.dtype().itemsize());
  return set_storage_and_geometry(self, std::move(storage), 0, {size}, {});
}

static at::Tensor& set_tensor(at::Tensor& self, const at::Tensor& other) {
  self.unsafeGetTensorImpl()->set_storage_keep_dtype(other.storage());
  set_geometry(self.unsafeGetTensorImpl(), other);
  return self;
}

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("copy_", &copy_);
  library.impl("resize_", &resize_);
  library.impl("set_.source_Storage_storage_offset", &set_storage_and_geometry);
  library.impl("set_.source_Storage", &set_storage);
  library.impl("set_.source_Tensor", &set_tensor);
}

// A fallback alone would leave an operation that is also composed of others to those: torch would not look at the
// CPU's kernel for it. So each with such a kernel gets an entry of its own.
static torch::Library with_kernels_of_the_cpu() {
  torch::Library library(torch::Library::IMPL, "aten", DispatchKey::CUDA, __FILE__, __LINE__);
  for (const auto& name : Dispatcher::singleton().getAllOpNames()) {
    auto operation = Dispatcher::singleton().findOp(name);
    if (name.getNamespace() != "aten" || !operation || !operation->hasSchema()) continue;
    if (!operation->hasKernelForDispatchKey(DispatchKey::CPU)) continue;
    if (operation->hasKernelForDispatchKey(DispatchKey::CUDA)) continue;  // one of those above
    auto full = toString(name).substr(strlen("aten::"));
    library.impl(full.c_str(), torch::CppFunction::makeFromBoxedFunction<&on_the_cpu>());
  }
  return library;
}
static const torch::Library borrowed = with_kernels_of_the_cpu();

// Without cuDNN, CUDA has one kernel for a step of an LSTM or GRU where the CPU goes step by step. These are the
// formulas of torch.nn.LSTMCell and GRUCell; the last result is what CUDA's kernel keeps for its backward, which here
// needs none.

using Bias = std::optional<at::Tensor>;

static at::Tensor plus(const at::Tensor& gates, const Bias& bias) {
  return bias && bias->defined() ? gates + *bias : gates;
}

static std::tuple<at::Tensor, at::Tensor, at::Tensor> lstm_step(const at::Tensor& of_input, const at::Tensor& of_hidden,
                                                                const at::Tensor& cell, const Bias& input_bias,
                                                                const Bias& hidden_bias) {
  auto gates = (plus(of_input, input_bias) + plus(of_hidden, hidden_bias)).chunk(4, 1);
  auto next = gates[1].sigmoid() * cell + gates[0].sigmoid() * gates[2].tanh();
  return {gates[3].sigmoid() * next.tanh(), next, at::empty_like(of_input)};
}

static std::tuple<at::Tensor, at::Tensor> gru_step(const at::Tensor& of_input, const at::Tensor& of_hidden,
                                                   const at::Tensor& hidden, const Bias& input_bias,
                                                   const Bias& hidden_bias) {
  auto input = plus(of_input, input_bias).chunk(3, 1), state = plus(of_hidden, hidden_bias).chunk(3, 1);
  auto reset = (input[0] + state[0]).sigmoid(), update = (input[1] + state[1]).sigmoid();
  auto proposed = (input[2] + reset * state[2]).tanh();
  return {(hidden - proposed) * update + proposed, at::empty_like(of_input)};
}

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("_thnn_fused_lstm_cell", &lstm_step);
  library.impl("_thnn_fused_gru_cell", &gru_step);
}
TORCH_LIBRARY_IMPL(aten, AutogradCUDA, library) {
  library.impl("_thnn_fused_lstm_cell", &lstm_step);
  library.impl("_thnn_fused_gru_cell", &gru_step);
}

// ---------------------------------------------------------------------------------------------------- for plugin.py

TORCH_LIBRARY(standin, library) {
  library.def("memory_allocated() -> int", [] { return counters.allocated(); });
  library.def("max_memory_allocated() -> int", [] { return counters.most_allocated(); });
  library.def("memory_reserved() -> int", [] { return counters.reserved(); });
  library.def("reset_peak_memory_stats() -> ()", [] { counters.reset_most(); });
  library.def("empty_cache() -> ()", [] { counters.empty_cache(); });
  library.def("set_default_generator(Generator? generator) -> ()",
              [](std::optional<at::Generator> generator) { default_generator = *generator; });
}
